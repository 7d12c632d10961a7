"""Who may ask for what: names, origins, sizes, and what every answer says."""

import socket

import pytest

from sda.play.security import MOST_REQUEST_BYTES, MOST_UPLOAD_BYTES

TWO_GB = 2 << 30


def test_every_answer_says_what_a_browser_may_do_with_it(client):
    for path in ("/", "/page.js", "/page.css", "/api/runs", "/api/nothing"):
        headers = client.ask("GET", path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_the_page_needs_nothing_from_elsewhere(client):
    for path in ("/", "/page.js", "/player.js", "/form.js", "/map.js", "/page.css"):
        text = client.ask("GET", path).body.decode()
        assert text
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text
    text = client.ask("GET", "/").body.decode()
    assert " style=" not in text
    assert " onclick=" not in text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:1", "127.0.0.1", "localhost", "", "evil.example:{port}", None]
)
def test_another_host_is_refused(client, host):
    answer = client.ask("GET", "/api/runs", Host=host.format(port=client.port) if host else host)
    assert answer.code in (400, 421)
    assert b"today/one" not in answer.body


def test_this_machines_other_name_is_answered(client):
    host = f"localhost:{client.port}"
    assert client.ask("GET", "/api/runs", Host=host).code == 200
    assert client.ask("POST", "/api/runs/RUN/open", {}, Host=host, Origin=f"http://{host}").code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": None}, {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    ],
)  # fmt: skip
def test_another_pages_request_changes_nothing(client, headers):
    client.make(seed=1)
    (sound,) = client.sounds()
    for method, path in (
        ("POST", "/api/runs/RUN/open"), ("POST", "/api/runs/RUN/jobs"), ("POST", "/api/uploads?name=a.wav"),
        ("POST", f"/api/runs/RUN/sounds/{sound['id']}/keep"), ("DELETE", f"/api/runs/RUN/sounds/{sound['id']}"),
    ):  # fmt: skip
        assert client.ask(method, path, {}, **headers).code == 403
    assert client.sounds() == [sound]


def test_another_page_cannot_read_but_may_lead_here(client):
    assert client.ask("GET", "/api/runs", **{"Sec-Fetch-Site": "cross-site"}).code == 403
    assert client.ask("GET", "/", **{"Sec-Fetch-Site": "cross-site"}).code == 200
    assert client.ask("OPTIONS", "/api/runs").code == 405
    assert client.ask("PUT", "/api/runs", {}).code == 405


@pytest.mark.parametrize("length", [str(TWO_GB), "-1", "1e3", "²"])
def test_two_gigabytes_are_refused_before_they_come(client, length):
    answer = client.ask(
        "POST", "/api/uploads?name=a.wav", **{"Content-Length": length.encode("utf-8").decode("latin-1")}
    )
    assert answer.code in (400, 413)
    if length == str(TWO_GB):
        assert f"larger than the {MOST_UPLOAD_BYTES >> 20} MB" in answer.json["error"]


def test_two_gigabytes_that_say_nothing_of_it_are_refused_on_the_way(client, session):
    sent, block = 0, bytes(1 << 20)
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        head = (
            f"POST /api/uploads?name=a.wav HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n"
            f"Origin: http://127.0.0.1:{client.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        try:
            while sent < TWO_GB:
                connection.sendall(f"{len(block):x}\r\n".encode() + block + b"\r\n")
                sent += len(block)
        except OSError:  # the other end has had enough
            pass
    assert MOST_UPLOAD_BYTES <= sent < 2 * MOST_UPLOAD_BYTES
    assert session.uploads.items() == []
    assert not list(session.uploads._folder.iterdir())


def test_a_request_that_is_no_sound_is_small(client):
    answer = client.ask("POST", "/api/runs/RUN/jobs", b"[" * (MOST_REQUEST_BYTES + 1))
    assert (answer.code, answer.json) == (413, {"error": "The request is larger than 64 kB."})
