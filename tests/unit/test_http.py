"""The client against a real server over TLS, with the faults that real servers have."""

import email.utils
import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from https_server import Reply

from finsae.checks import DataError
from finsae.sources.http import Client, FetchError, Manners
from finsae.store import sole

AGENT = "Jane Doe jane@example.org"


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def client(https, tmp_path, pauses):
    return make(https, tmp_path, pauses)


def make(server, tmp_path, pauses, **manners):
    wanted = {"per_second": 1_000.0, "timeout": 1.5, "tries": 3, "limit": 100_000, **manners}

    def sleep(seconds):
        pauses.append(round(seconds, 1))

    return Client(
        server.address,
        user_agent=AGENT,
        cache=tmp_path / "raw",
        context=server.context,
        manners=Manners(**{"sleep": sleep, **wanted}),
    )


def test_a_resource_is_fetched_once_and_the_server_knows_who_asks(https, client, tmp_path):
    https.pages["/a/b.json?q=x+y"] = b"content"
    assert client.get("a/b.json", {"q": "x y"}) == b"content"
    assert client.get("a/b.json", {"q": "x y"}) == b"content"
    again = make(https, tmp_path, [])
    assert again.get("a/b.json", {"q": "x y"}) == b"content"
    assert https.requests == ["/a/b.json?q=x+y"]
    assert https.agents == [AGENT]
    assert (client.sent, client.found, again.sent, again.found) == (1, 1, 0, 1)


def test_two_who_want_the_same_at_once_ask_once(https, tmp_path):
    https.pages["/a"] = b"content"
    https.after = lambda: time.sleep(0.2)
    clients = [make(https, tmp_path, []) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda one: one.get("a"), clients)) == {b"content"}
    assert https.requests == ["/a"]
    assert sorted((one.sent, one.found) for one in clients) == [(0, 1)] * 3 + [(1, 0)]


def test_who_waits_for_anothers_fetch_can_be_stopped(https, tmp_path, client):
    lock = client.cache.path(f"{https.address}/a").with_suffix(".lock")
    with sole(lock, wait=pytest.fail), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, "a")
        time.sleep(0.2)
        with client.stopped(), pytest.raises(FetchError, match="stopped"):
            waiting.result(timeout=5)
    assert https.requests == [] and not lock.exists()


def test_a_packed_body_is_unpacked(https, client):
    https.packed = True
    https.pages["/a"] = b"x" * 50_000
    assert client.get("a") == b"x" * 50_000


@pytest.mark.parametrize(
    "fault",
    [
        Reply(429, headers={"Retry-After": "0"}),
        Reply(403, b"denied"),
        Reply(503),
        Reply(500),
        Reply(200, b"half of", how="truncated"),
        Reply(200, b"half of", how="cut"),
        Reply(how="silent"),
        Reply(how="hang up"),
        Reply(200, b"not gzip at all", {"Content-Encoding": "gzip"}),
        Reply(200, gzip.compress(b"content" * 99)[:-9], {"Content-Encoding": "gzip"}),
    ],
    ids=[
        "429",
        "403",
        "503",
        "500",
        "truncated",
        "chunks",
        "silent",
        "hang up",
        "not gzip",
        "gzip",
    ],
)
def test_what_passes_is_tried_again(https, client, pauses, fault):
    https.pages["/a"] = b"content"
    https.faults["/a"] = [fault, fault]
    assert client.get("a") == b"content"
    assert len(https.requests) == 3
    assert pauses == [1.0, 2.0]


def test_what_does_not_pass_is_said_and_nothing_is_kept(https, client):
    https.pages["/a"] = b"content"
    https.faults["/a"] = [Reply(200, b"half", how="truncated")] * 3
    with pytest.raises(FetchError, match=r"truncated \(4 of 104 bytes\) at each of 3 tries"):
        client.get("a")
    assert client.get("a") == b"content"


def test_as_long_a_pause_as_the_server_asks_for(https, client, pauses):
    https.pages["/a"] = https.pages["/b"] = b"content"
    https.faults["/a"] = [Reply(429, headers={"Retry-After": "37"})]
    client.get("a")
    assert pauses == [37.0]
    later = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    client = make(https, client.cache.folder.parent, pauses)
    https.faults["/b"] = [Reply(503, headers={"Retry-After": later})]
    client.get("b")
    assert 115 < pauses[-1] <= 120


def test_a_block_of_the_sec_is_waited_out(https, client, pauses):
    https.pages["/a"] = b"content"
    page = b"<title>SEC.gov | Request Rate Threshold Exceeded</title>"
    https.faults["/a"] = [Reply(403, page)]
    assert client.get("a") == b"content"
    assert pauses == [600.0]


def test_a_pause_of_an_hour_is_left_to_the_user(https, client, pauses):
    https.faults["/a"] = [Reply(429, headers={"Retry-After": "3600"})]
    with pytest.raises(FetchError, match="asks to wait 3,600 s") as caught:
        client.get("a")
    assert caught.value.status == 429
    assert pauses == []


def test_missing_is_said_at_once(https, client):
    with pytest.raises(FetchError, match="status 404") as caught:
        client.get("a")
    assert caught.value.status == 404
    assert len(https.requests) == 1


def test_who_is_refused_learns_why(https, client):
    https.faults["/a"] = [Reply(403)] * 3
    with pytest.raises(FetchError, match="is the user agent a name and a mail address"):
        client.get("a")


def test_redirects_are_followed_on_the_host(https, client):
    https.pages["/a"] = Reply(301, headers={"Location": "/b?c=1"})
    https.pages["/b?c=1"] = b"content"
    assert client.get("a") == b"content"


@pytest.mark.parametrize(
    "target",
    ["https://example.org/x", "http://localhost/x", "https://localhost/port",
     "//example.org/", "https://jane@{}/x", "file:///etc/passwd", "https://localhost.example.org/", "ftp://localhost/"],
)  # fmt: skip
def test_redirects_to_elsewhere_are_not(https, client, target):
    host = https.address.removeprefix("https://")
    https.pages["/a"] = Reply(302, headers={"Location": target.format(host)})
    with pytest.raises(FetchError, match="redirects to elsewhere"):
        client.get("a")
    assert https.requests == ["/a"]


def test_what_a_server_says_commands_no_terminal(https, client):
    https.pages["/a"] = Reply(302, headers={"Location": "https://example.org/\x1b[2J\x07"})
    with pytest.raises(FetchError, match="redirects to elsewhere") as caught:
        client.get("a")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("target", "said"),
    [("/caf\xe9", "caf%C3%A9: status 404"), ("/a b", "a%20b: status 404"),
     ("https://[bad", "redirects to elsewhere"), ("https://localhost:port/", "to elsewhere")],
)  # fmt: skip
def test_a_redirect_that_is_no_address_crashes_nothing(https, client, target, said):
    https.pages["/a"] = Reply(302, headers={"Location": target})
    with pytest.raises(FetchError, match=said):
        client.get("a")


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5_000])
def test_a_length_that_no_body_has_is_truncated(https, client, length):
    https.pages["/a"] = Reply(200, b"part", {"Content-Length": length})
    with pytest.raises(FetchError, match="truncated"):
        client.get("a")
    https.pages["/b"] = Reply(200, b"whole", {"Content-Length": "\xb2"})
    assert client.get("b") == b"whole"


def test_a_part_is_not_kept_for_the_whole(https, client):
    https.pages["/a"] = Reply(206, b"part", {"Content-Range": "bytes 0-3/100"})
    with pytest.raises(FetchError, match="status 206"):
        client.get("a")
    https.pages["/a"] = b"the whole"
    assert client.get("a") == b"the whole"


def test_redirects_come_to_an_end(https, client):
    https.pages["/a"] = Reply(302, headers={"Location": "/a"})
    with pytest.raises(FetchError, match="redirects more than"):
        client.get("a")


def test_a_bomb_is_not_unpacked(https, client):
    https.pages["/a"] = Reply(200, gzip.compress(b"\0" * 20_000_000), {"Content-Encoding": "gzip"})
    with pytest.raises(FetchError, match=r"more than 100,000 bytes unpacked: not read"):
        client.get("a")
    https.pages["/b"] = b"x" * 100_001
    with pytest.raises(FetchError, match=r"more than 100,000 bytes"):
        client.get("b")


def test_bytes_behind_a_packed_body_are_counted_and_its_members_joined(https, client):
    packed = {"Content-Encoding": "gzip"}
    https.pages["/a"] = Reply(200, gzip.compress(b"one ") + gzip.compress(b"two"), packed)
    assert client.get("a") == b"one two"
    nothing = gzip.compress(b"")
    for path, body in (("/b", gzip.compress(b"x") + bytes(9)), ("/c", nothing * 9_000)):
        https.pages[path] = Reply(200, body, packed)
    with pytest.raises(FetchError, match="not packed as it says"):
        client.get("b")
    with pytest.raises(FetchError, match=r"more than 100,000 bytes sent"):
        client.get("c")


def test_what_is_asked_anew_is_not_kept(https, client):
    https.pages["/a?key=secret"] = b"content"
    assert client.ask("a", {"key": "secret"}) == b"content"
    assert not list(client.cache.folder.rglob("*.raw"))
    client.ask("a", {"key": "secret"})
    assert len(https.requests) == 2


def test_hosts_of_one_service_wait_together(https, client, tmp_path):
    https.pages["/a"] = https.pages["/b"] = b"content"
    https.faults["/a"] = [Reply(429, headers={"Retry-After": "37"})]
    client.get("a")
    pauses = []
    manners = Manners(per_second=1_000.0, sleep=pauses.append)
    other = Client(
        https.address,
        user_agent=AGENT,
        cache=tmp_path,
        context=https.context,
        manners=manners,
        beside=client,
    )
    other.get("b")
    assert len(pauses) == 1 and 30 < pauses[0] <= 37


def test_a_coding_that_was_not_asked_for_is_refused(https, client):
    https.pages["/a"] = Reply(200, b"??", {"Content-Encoding": "br"})
    with pytest.raises(FetchError, match="packed as br"):
        client.get("a")


def test_a_slow_body_is_given_up(https, tmp_path, pauses):
    https.pages["/a"] = Reply(200, b"x" * 50, how="drip")
    client = make(https, tmp_path, pauses, timeout=5.0, whole=0.2, tries=1)
    with pytest.raises(FetchError, match=r"slower than 0\.2 s"):
        client.get("a")


def test_a_stranger_certificate_is_not_trusted(https, tmp_path, pauses):
    client = Client(https.address, user_agent=AGENT, cache=tmp_path)
    with pytest.raises(FetchError, match="certificate not trusted"):
        client.get("a")


def test_a_damaged_copy_is_noticed_and_fetched_again(https, client):
    https.pages["/a"] = b"content"
    client.get("a")
    file = client.cache.path(client.url("a"))
    for damage in (
        lambda raw: raw[:-4],
        lambda raw: b"",
        lambda raw: raw.replace(b"sha256", b"sha255"),
        lambda raw: raw.split(b"\n")[0] + b"\n" + gzip.compress(b"contents"),
        lambda raw: raw.split(b"\n")[0] + b"\n" + gzip.compress(b"\0" * 10_000_000),
        lambda raw: raw.replace(b"localhost", b"elsewhere"),
    ):
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        assert client.get("a") == b"content"
        assert file.read_bytes().split(b"\n", 1)[1] == whole.split(b"\n", 1)[1]
    assert len(https.requests) == 7
    assert client.damaged == [client.url("a")] * 6


def test_what_changes_is_fetched_again_when_it_is_old(https, client):
    https.pages["/a"] = b"old"
    client.get("a")
    https.pages["/a"] = b"new"
    assert client.get("a", since=datetime.now(UTC) - timedelta(hours=1)) == b"old"
    assert client.get("a", since=datetime.now(UTC) + timedelta(hours=1)) == b"new"
    assert client.damaged == []


def test_the_rate_is_kept_by_threads_and_clients_together(https, tmp_path):
    clients = [make(https, tmp_path, [], per_second=50.0, timeout=5.0) for _ in range(2)]
    for number in range(10):
        https.pages[f"/{number}"] = b"x"
    threads = [
        threading.Thread(target=clients[number % 2].get, args=(str(number),))
        for number in range(10)
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start >= 9 / 50
    assert len(https.requests) == 10


def test_a_stopped_client_neither_waits_nor_asks(https, tmp_path):
    client = make(https, tmp_path, [], sleep=None)
    https.faults["/a"] = [Reply(429, headers={"Retry-After": "100"})]
    told = []

    def get():
        try:
            client.get("a")
        except FetchError as error:
            told.append(str(error))

    thread = threading.Thread(target=get)
    thread.start()
    while not https.requests:
        time.sleep(0.01)
    time.sleep(0.1)
    with client.stopped():
        thread.join(20)
    assert told and "stopped" in told[0]
    assert https.requests == ["/a"]


@pytest.mark.parametrize(
    "path",
    ["../secret", "a/../../b", "//example.org/x", "https://example.org", "a\nHost: x", "a b",
     "a?b=c", "a#b", "%2e%2e/b", "a\\b", "\u00e9"],
)  # fmt: skip
def test_paths_cannot_lead_elsewhere(https, client, path):
    with pytest.raises(DataError, match="is no path below"):
        client.get(path)
    assert https.requests == []


@pytest.mark.parametrize("base", ["http://www.sec.gov", "ftp://a", "www.sec.gov", "https://u:p@h"])
def test_only_https(tmp_path, base):
    with pytest.raises(DataError, match="is no https address"):
        Client(base, user_agent=AGENT, cache=tmp_path)


@pytest.mark.parametrize("agent", ["", "  ", "a\r\nX: y", "J\u00e9r\u00f4me"])
def test_the_user_agent_is_plain_text(tmp_path, agent):
    with pytest.raises(DataError, match="is no user agent"):
        Client("https://localhost", user_agent=agent, cache=tmp_path)
