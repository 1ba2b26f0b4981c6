"""The parts of the W&B files reader; the reader itself is `runferry.readers.wandb_files`."""
