"""A real application of Hydra."""

import logging

import hydra

log = logging.getLogger(__name__)


@hydra.main(version_base=None, config_path=None)
def main(config):
    log.info("began")
    log.info("ended")


main()
