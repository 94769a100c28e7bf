"""The downloader, against a real server that serves well and badly."""

import hashlib
import os
import socket
import stat
import struct
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from fleetgrad.data import catalog, download
from fleetgrad.data.download import Remote
from fleetgrad.errors import DataError, DownloadError
from mirror import Mirror, serving

NAME = "letters"
CONTENT = np.random.default_rng(0).bytes(300_000)
REMOTE = Remote(NAME, len(CONTENT), f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def shelf(tmp_path):
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "letters"


@pytest.fixture
def dead():
    """The address of a mirror that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def arrived(cache):
    """The one file in the cache is there, whole; nothing else is."""
    assert [path.name for path in cache.iterdir() if path.name != ".lock"] == [NAME]
    return (cache / NAME).read_bytes() == CONTENT


def failed(mirrors, cache, **options):
    """The message of the failure; the file is not in the cache."""
    with pytest.raises(DownloadError) as caught:
        download.fetch(REMOTE, mirrors, cache, **options)
    assert not (cache / NAME).exists()
    message = str(caught.value)
    for word in (NAME, "must", "got", "--data-dir", "FLEETGRAD_DATA", *mirrors):
        assert word in message
    return message


def test_a_file_is_fetched_once_and_then_found(shelf, cache):
    with serving(Mirror(shelf)) as mirror:
        path = download.fetch(REMOTE, [mirror.url], cache)
        assert path == cache / NAME
        assert download.fetch(REMOTE, [mirror.url], cache) == path
        assert mirror.asked == [(f"/{NAME}", 0)]
    assert arrived(cache)


def test_progress_is_told_and_ends_at_the_whole(shelf, cache):
    seen = []
    with serving(Mirror(shelf)) as mirror:
        download.fetch(REMOTE, [mirror.url], cache, progress=seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(set(done))
    assert len(done) > 2
    assert seen[-1] == download.Progress(NAME, mirror.url + NAME, len(CONTENT), len(CONTENT))


def test_a_cut_connection_is_resumed_where_it_broke(shelf, cache):
    with serving(Mirror(shelf, cut=100_000)) as mirror:
        download.fetch(REMOTE, [mirror.url], cache)
        assert [start for _, start in mirror.asked] == [0, 100_000, 200_000]
    assert arrived(cache)


def test_a_part_that_an_earlier_run_left_is_gone_on_with(shelf, cache):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(CONTENT[:123_456])
    with serving(Mirror(shelf)) as mirror:
        download.fetch(REMOTE, [mirror.url], cache)
        assert mirror.asked == [(f"/{NAME}", 123_456)]
    assert arrived(cache)


def test_what_one_mirror_began_another_ends(shelf, cache):
    with serving(Mirror(shelf, cut=70_000, ranges=False), Mirror(shelf)) as (first, second):
        download.fetch(REMOTE, [first.url, second.url], cache)
        assert second.asked == [(f"/{NAME}", 70_000)]
    assert arrived(cache)


@pytest.mark.parametrize("left", [b"wrong" * 100, CONTENT + b"more", b"x" * len(CONTENT)])
def test_a_spoiled_part_is_thrown_away_and_fetched_anew(shelf, cache, left):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(left)
    with serving(Mirror(shelf)) as mirror:
        download.fetch(REMOTE, [mirror.url], cache)
        assert mirror.asked[-1] == (f"/{NAME}", 0)
    assert arrived(cache)


def test_a_mirror_without_ranges_starts_from_the_beginning(shelf, cache):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(CONTENT[:1000])
    with serving(Mirror(shelf, ranges=False)) as mirror:
        download.fetch(REMOTE, [mirror.url], cache)
    assert arrived(cache)


def test_a_wrong_checksum_never_enters_the_cache_and_the_next_mirror_is_asked(shelf, cache):
    with serving(Mirror(shelf, spoil=True), Mirror(shelf)) as (bad, good):
        download.fetch(REMOTE, [bad.url, good.url], cache)
        assert len(bad.asked) == 1
        assert good.asked == [(f"/{NAME}", 0)]
    assert arrived(cache)


def test_a_file_in_the_cache_that_went_bad_is_fetched_again(shelf, cache):
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(CONTENT[:-1] + b"?")
    with serving(Mirror(shelf)) as mirror:
        download.fetch(REMOTE, [mirror.url], cache)
    assert arrived(cache)


def test_a_dead_first_mirror_is_passed_over(shelf, cache, dead):
    with serving(Mirror(shelf)) as mirror:
        download.fetch(REMOTE, [dead, mirror.url], cache)
    assert arrived(cache)


@pytest.mark.parametrize("status", [403, 404, 416, 503])
def test_a_mirror_that_refuses_is_passed_over(shelf, cache, status):
    with serving(Mirror(shelf, status=status), Mirror(shelf)) as (bad, good):
        download.fetch(REMOTE, [bad.url, good.url], cache)
    assert arrived(cache)


def test_a_page_in_place_of_the_file_is_passed_over(shelf, cache, tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    (page / NAME).write_bytes(b"<html>please log in</html>")
    with serving(Mirror(page), Mirror(shelf)) as (portal, good):
        download.fetch(REMOTE, [portal.url, good.url], cache)
        assert len(portal.asked) == 1
        assert "a file of 26 bytes" in failed([portal.url], cache.parent / "other")
    assert arrived(cache)


def test_a_mirror_that_never_ends_is_left_after_the_bytes_expected(shelf, cache, tmp_path):
    endless = tmp_path / "endless"
    endless.mkdir()
    (endless / NAME).write_bytes(bytes(5_000_000))
    with serving(Mirror(endless, length=False)) as mirror:
        assert "more than the 300,000 bytes" in failed([mirror.url], cache)
    assert (cache / f"{NAME}.part").stat().st_size <= len(CONTENT)


def test_all_dead_says_what_was_tried_and_how_to_go_on(shelf, cache, dead):
    with serving(Mirror(shelf, spoil=True), Mirror(shelf, status=404)) as (bad, gone):
        message = failed([dead, bad.url, gone.url], cache)
    assert "refused" in message
    assert "wrong checksum" in message
    assert "HTTP 404" in message


def test_a_server_that_hangs_is_left_after_the_timeout(shelf, cache):
    with serving(Mirror(shelf, hang=5)) as mirror:
        began = time.monotonic()
        message = failed([mirror.url], cache, timeout=0.2)
        assert time.monotonic() - began < 2
    assert "no answer within 0.2 s" in message


@contextmanager
def talking(*words, then=socket.socket.close):
    """The address of a server that says these words to the first who asks, and then does this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk():
            client, _ = server.accept()
            client.recv(1000)
            for word in words:
                client.sendall(word)
            then(client)
            client.close()

        thread = threading.Thread(target=talk)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"


def test_a_server_that_hangs_in_the_middle_is_left_too(cache):
    with talking(HEAD, CONTENT[:1000], then=lambda _: time.sleep(0.5)) as address:
        message = failed([address], cache, timeout=0.2)
    assert "no answer within 0.2 s" in message
    assert (cache / f"{NAME}.part").read_bytes() == CONTENT[:1000]


def test_a_crawling_server_is_left(cache):
    stop = threading.Event()

    def crawl(client):
        while not stop.wait(0.02):
            client.send(b"x")

    with talking(HEAD, then=crawl) as address:
        message = failed([address], cache, timeout=0.3)
        stop.set()
    assert "slower than" in message


def test_a_connection_that_is_reset_is_a_cut_one(shelf, cache):
    def reset(client):
        time.sleep(0.1)  # let what was sent arrive
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with talking(HEAD, CONTENT[:1000], then=reset) as address, serving(Mirror(shelf)) as mirror:
        download.fetch(REMOTE, [address, mirror.url], cache, timeout=0.5)
    assert arrived(cache)


def test_a_server_that_talks_nonsense_is_passed_over(cache):
    with talking(b"220 this is no HTTP\r\n\r\n") as address:
        assert "220" in failed([address], cache)


def test_a_server_that_resumes_elsewhere_is_passed_over(cache):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(CONTENT[:1000])
    head = b"HTTP/1.1 206 OK\r\nContent-Range: bytes 999-299999/300000\r\n\r\n"
    with talking(head) as address:
        assert "another place" in failed([address], cache)
    assert (cache / f"{NAME}.part").read_bytes() == CONTENT[:1000]


def test_a_mirror_that_cuts_off_without_end_is_left_and_what_came_is_kept(shelf, cache):
    with serving(Mirror(shelf, cut=100)) as mirror:
        assert f"cut off {download.TRIES} times" in failed([mirror.url], cache)
    assert (cache / f"{NAME}.part").stat().st_size == 100 * download.TRIES


def test_a_mirror_that_sends_nothing_is_left_at_once(shelf, cache):
    with serving(Mirror(shelf, cut=0)) as mirror:
        assert "cut off after 0 of 300,000" in failed([mirror.url], cache)
        assert len(mirror.asked) == 1


@pytest.mark.parametrize("address", ["file:///etc/", "ftp://127.0.0.1/", "/etc"])
def test_only_the_web_is_asked(cache, address):
    assert "no http or https" in failed([address], cache)


def test_sums_of_both_kinds_are_understood(shelf, cache):
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    with serving(Mirror(shelf)) as mirror:
        download.fetch(Remote(NAME, len(CONTENT), f"md5:{md5}"), [mirror.url], cache)
    assert arrived(cache)


def test_two_at_once_fetch_once(shelf, cache):
    with serving(Mirror(shelf, hang=0.1)) as mirror:
        both = [
            threading.Thread(target=download.fetch, args=(REMOTE, [mirror.url], cache))
            for _ in range(2)
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert len(mirror.asked) == 1
    assert arrived(cache)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_named(shelf, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with serving(Mirror(shelf)) as mirror, pytest.raises(DataError, match="FLEETGRAD_CACHE"):
        download.fetch(REMOTE, [mirror.url], tmp_path / "cache")


def test_a_cache_below_a_file_is_named(shelf, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with serving(Mirror(shelf)) as mirror, pytest.raises(DataError, match="FLEETGRAD_CACHE"):
        download.fetch(REMOTE, [mirror.url], tmp_path / "file" / "cache")


def test_every_named_set_has_two_mirrors_over_https_and_whole_sums():
    for named in catalog.SETS.values():
        assert len(set(named.mirrors)) >= 2
        assert all(mirror.startswith("https://") for mirror in named.mirrors)
        assert len(named.files) == 4
        for remote in named.files:
            kind, _, digest = remote.checksum.partition(":")
            assert kind == "sha256"
            assert len(bytes.fromhex(digest)) == 32
            assert remote.size > 0


def test_the_catalogs_sums_of_mnist_are_those_of_the_real_files(shared_data):
    for remote in catalog.SETS["mnist"].files:
        path = shared_data / "mnist" / remote.name
        assert path.stat().st_size == remote.size
        assert download.is_right(path, remote.checksum)
