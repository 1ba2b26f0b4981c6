"""Each fault happens as it was ordered, where it was ordered, and no more often."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from runferry.testing.wandb_service import Faults, RateLimit, RunContent, Trouble, WandbService

HISTORY = """query History($run: String!) { project(name: "p", entityName: "lab") {
    run(name: $run) {
        historyLineCount historyKeys history(minStep: 0, maxStep: 1000, samples: 1000)
        parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData }
    }
} }"""
VIEWER = "query Viewer { viewer { username } }"


@pytest.fixture
def service() -> Iterator[WandbService]:
    with WandbService() as service:
        columns = {"x": np.arange(100.0)}
        service.put_run("lab/p/r", history_of=columns, live_rows=20, parts=4)
        yield service
        assert not service.failures


@pytest.fixture
def client(service: WandbService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, auth=("api", service.account.key)) as client:
        yield client


def ask(client: httpx.Client, query: str, **variables: Any) -> httpx.Response:
    return client.post("/graphql", json={"query": query, "variables": variables})


def history(client: httpx.Client, run: str = "r") -> dict[str, Any]:
    found: dict[str, Any] = ask(client, HISTORY, run=run).json()["data"]["project"]["run"]
    return found


def urls(client: httpx.Client) -> list[str]:
    found: list[str] = history(client)["parquetHistory"]["parquetUrls"]
    return found


def test_a_trouble_comes_after_what_it_skips_and_as_often_as_said(
    service: WandbService, client: httpx.Client
) -> None:
    service.faults.add(
        Trouble("status", "graphql:View*", times=2, skip=1, status=429, retry_after=1.5)
    )
    answers = [ask(client, VIEWER) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "1.5"
    assert ask(client, HISTORY, run="r").status_code == 200
    assert service.requests.by_place == {"graphql:Viewer": 4, "graphql:History": 1}
    assert service.requests.by_status == {200: 3, 429: 2}


def test_requests_beyond_the_limit_are_told_when_to_come_again() -> None:
    faults = Faults(rate_limit=RateLimit(3, 2.0))
    with WandbService(faults=faults) as service:
        with httpx.Client(base_url=service.url, auth=("api", service.account.key)) as client:
            answers = [ask(client, VIEWER) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
            left = [answer.headers["RateLimit-Remaining"] for answer in answers]
            assert left == ["2", "1", "0", "0", "0"]
            time.sleep(float(answers[-1].headers["Retry-After"]))
            assert ask(client, VIEWER).status_code == 200


def test_a_cut_answer_is_half_of_it_and_a_reset_none(
    service: WandbService, client: httpx.Client
) -> None:
    service.faults.add(Trouble("cut", "graphql:Viewer"))
    service.faults.add(Trouble("reset", "graphql:Viewer"))
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        ask(client, VIEWER)
    with pytest.raises(httpx.TransportError):
        ask(client, VIEWER)
    assert ask(client, VIEWER).status_code == 200
    url = urls(client)[0]
    service.faults.add(Trouble("cut", "storage:GET"))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url)
    assert pq.read_table(io.BytesIO(httpx.get(url).content)).num_rows == 20


def test_latency_is_before_each_answer(service: WandbService, client: httpx.Client) -> None:
    service.faults.latency_seconds = 0.05
    began = time.perf_counter()
    for _ in range(4):
        ask(client, VIEWER)
    assert time.perf_counter() - began >= 0.2


def test_ranges_of_a_file_are_its_bytes(client: httpx.Client) -> None:
    url = urls(client)[0]
    whole = httpx.get(url)
    size = len(whole.content)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert httpx.head(url).headers["Content-Length"] == str(size)
    for asked, expected in (
        ("bytes=0-9", whole.content[:10]),
        (f"bytes={size - 4}-", whole.content[-4:]),
        ("bytes=-8", whole.content[-8:]),
        (f"bytes=0-{size * 2}", whole.content),
    ):
        part = httpx.get(url, headers={"Range": asked})
        assert part.status_code == 206
        assert part.content == expected


def test_a_signed_url_is_good_for_its_method_its_time_and_its_uses(
    service: WandbService, client: httpx.Client
) -> None:
    service.faults.url_uses = 2
    url = urls(client)[0]
    assert httpx.put(url, content=b"x").status_code == 403
    assert [httpx.get(url).status_code for _ in range(3)] == [200, 200, 403]
    assert "ExpiredToken" in httpx.get(url).text
    service.faults.url_uses = None
    service.faults.url_seconds = 0.05
    late = urls(client)[0]
    time.sleep(0.1)
    assert httpx.get(late).status_code == 403
    service.faults.url_seconds = 60
    forged = re.sub("X-Goog-Object=([0-9a-f]+)", "X-Goog-Object=00", urls(client)[0])
    assert httpx.get(forged).status_code == 403


def test_a_stale_export_lacks_what_its_counts_speak_of(
    service: WandbService, client: httpx.Client
) -> None:
    whole = history(client)
    assert len(whole["history"]) == len(whole["parquetHistory"]["liveData"]) == 20
    service.faults.stale_exports = True
    stale = history(client)
    assert stale["history"] == stale["parquetHistory"]["liveData"] == []
    assert stale["historyLineCount"] == whole["historyLineCount"] == 100
    assert stale["historyKeys"] == whole["historyKeys"]


def test_pages_may_also_hold_what_is_exported(service: WandbService, client: httpx.Client) -> None:
    service.faults.overlapping_pages = True
    assert len(history(client)["history"]) == 100


def test_urls_of_exports_change_their_order(service: WandbService, client: httpx.Client) -> None:
    service.faults.shuffled_urls = True
    orders = {
        tuple(re.sub(r".*/(\d)\.parquet.*", r"\1", url) for url in urls(client)) for _ in range(30)
    }
    assert len(orders) > 3
    assert {tuple(sorted(order)) for order in orders} == {("0", "1", "2", "3")}


def test_a_run_is_deleted_while_it_is_read(service: WandbService, client: httpx.Client) -> None:
    service.faults.add(
        Trouble("call", "graphql:History", skip=1, do=lambda: service.delete_run("lab/p/r"))
    )
    url = urls(client)[0]
    assert ask(client, HISTORY, run="r").json()["data"]["project"]["run"] is None
    assert httpx.get(url).status_code == 200  # what was signed is still there, as in a real store


def test_a_history_grows_while_it_is_read(service: WandbService, client: httpx.Client) -> None:
    def grow() -> None:
        step = service.run("lab/p/r")["last_step"] + 1
        service.append_history("lab/p/r", [{"_step": step, "x": 1.0}])

    service.faults.add(Trouble("call", "graphql:History", times=3, do=grow))
    counts = [history(client)["historyLineCount"] for _ in range(4)]
    assert counts == [101, 102, 103, 103]
    keys = history(client)["historyKeys"]
    assert keys["lastStep"] == 102
    assert keys["keys"]["x"]["typeCounts"] == [{"type": "number", "count": 103}]
    service.export("lab/p/r", keep_live=3)
    after = history(client)
    assert (after["historyLineCount"], len(after["history"])) == (103, 3)
    assert after["historyKeys"] == keys


def test_a_dead_server_refuses_and_comes_back_at_its_place(
    service: WandbService, client: httpx.Client
) -> None:
    ask(client, VIEWER)
    place = service.url
    with service.dead():
        with pytest.raises(httpx.TransportError):
            ask(client, VIEWER)
        with pytest.raises(httpx.ConnectError):
            httpx.get(place)
    assert service.url == place
    assert ask(client, VIEWER).status_code == 200


def test_a_server_that_dies_at_a_request_comes_back_by_itself(
    service: WandbService, client: httpx.Client
) -> None:
    service.faults.add(Trouble("call", "graphql:Viewer", do=lambda: service.die_for(1.0)))
    with pytest.raises(httpx.TransportError):
        ask(client, VIEWER)
    with pytest.raises(httpx.ConnectError):
        ask(client, VIEWER)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            assert ask(client, VIEWER).status_code == 200
            break
        except httpx.TransportError:
            time.sleep(0.05)
    else:
        pytest.fail("it did not come back")


def test_a_wrong_key_no_key_and_a_wrong_question_are_refused(
    service: WandbService, client: httpx.Client
) -> None:
    for auth in (("api", "0" * 40), None):
        refused = httpx.post(f"{service.url}/graphql", json={"query": VIEWER}, auth=auth)
        assert refused.status_code == 401
        assert refused.json()["errors"][0]["message"] == "user is not logged in"
    bearer = {"Authorization": f"Bearer {service.account.key}"}
    kind = httpx.post(f"{service.url}/graphql", json={"query": VIEWER}, headers=bearer)
    assert kind.status_code == 200
    unknown = ask(client, "query Q { viewer { shoe } }")
    assert unknown.status_code == 400
    assert "Cannot query field 'shoe' on type 'User'" in unknown.json()["errors"][0]["message"]
    assert ask(client, "query {").status_code == 400
    filtered = (
        'query R { project(name: "p", entityName: "lab") { runs(filters: "[") { totalCount } } }'
    )
    assert ask(client, filtered).status_code == 400
    assert client.get("/nothing").status_code == 404
    assert client.get("/files/lab/p/r/none.txt").status_code == 404


def test_what_a_folder_holds_is_served_again(tmp_path: Any) -> None:
    with WandbService(tmp_path) as first:
        first.put_run("lab/p/r", RunContent(config={"a": 1}), history_of={"x": [1.0, 2.0]})
        key = first.account
    with WandbService(tmp_path, account=key) as second:
        with httpx.Client(base_url=second.url, auth=("api", key.key)) as client:
            assert history(client)["historyLineCount"] == 2
            table = pq.read_table(io.BytesIO(httpx.get(urls(client)[0]).content))
    assert table.to_pydict() == {"_step": [0, 1], "x": [1.0, 2.0]}


def test_thousands_of_runs_are_paged_without_one_twice() -> None:
    page = """query Page($after: String, $order: String, $filters: JSONString) {
        project(name: "many", entityName: "lab") {
            runs(first: 300, after: $after, order: $order, filters: $filters) {
                edges { node { name } } pageInfo { endCursor hasNextPage } } } }"""
    with WandbService() as service:
        ready = service.ready_history({"x": [0.5]})
        with service.store.together():
            for number in range(2000):
                content = RunContent(
                    config={"lr": number % 7}, created_at=f"2024-01-01T00:{number % 60:02}:00Z"
                )
                service.put_run(f"lab/many/run{number}", content, history_of=ready)
        with httpx.Client(base_url=service.url, auth=("api", service.account.key)) as client:
            for order, filters, expected in (
                ("+created_at", None, 2000),
                ("-created_at", None, 2000),
                ("-config.lr", '{"config.lr": {"$gte": 1}}', sum(n % 7 >= 1 for n in range(2000))),
            ):
                names: list[str] = []
                after = None
                while True:
                    asked = ask(client, page, after=after, order=order, filters=filters)
                    runs = asked.json()["data"]["project"]["runs"]
                    names += [edge["node"]["name"] for edge in runs["edges"]]
                    after = runs["pageInfo"]["endCursor"]
                    if not runs["pageInfo"]["hasNextPage"]:
                        break
                assert len(names) == len(set(names)) == expected


def test_all_bodies_share_one_line(service: WandbService) -> None:
    service.put_file("lab/p/r", "large.bin", bytes(200_000))
    with httpx.Client(base_url=service.url, auth=("api", service.account.key)) as client:
        found = client.get("/files/lab/p/r/large.bin")
        assert found.status_code == 302
        service.faults.bytes_per_second = 1_000_000
        began = time.perf_counter()
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(httpx.get, [found.headers["Location"]] * 2))
        assert time.perf_counter() - began >= 0.4
    assert [len(answer.content) for answer in answers] == [200_000, 200_000]


def test_faults_that_are_cleared_are_gone(service: WandbService, client: httpx.Client) -> None:
    service.faults.add(Trouble("status"))
    service.faults.latency_seconds = 5
    service.faults.clear()
    assert service.faults == Faults()
    assert ask(client, VIEWER).status_code == 200
