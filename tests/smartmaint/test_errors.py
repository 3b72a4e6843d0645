"""Every error has one shape, keeps its headers and tells no secret."""

import pytest
from django.test import Client

pytestmark = pytest.mark.urls("tests.smartmaint.failing_urls")


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("missing", 404, "not_found"),
        ("forbidden", 403, "permission_denied"),
        ("too-large", 413, "too_large"),
        ("invalid-model", 400, "invalid"),
        ("invalid-sentence", 400, "invalid"),
        ("throttled", 429, "throttled"),
        ("open", 503, "unavailable"),
        ("database-away", 503, "unavailable"),
        ("lost-in-copy", 503, "unavailable"),
        ("unforeseen", 500, "internal_error"),
    ],
)
def test_a_failure_has_its_status_and_code(
    client: Client, how: str, status: int, code: str
) -> None:
    answer = client.get(f"/api/fails/{how}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["message"]
    assert set(answer.json()) == {"error"}
    assert set(error) <= {"code", "message", "details"}


@pytest.mark.parametrize(
    ("how", "seconds"), [("throttled", "1"), ("open", "13"), ("database-away", "5")]
)
def test_retry_after_is_kept_and_rounded_up(client: Client, how: str, seconds: str) -> None:
    assert client.get(f"/api/fails/{how}").headers["Retry-After"] == seconds


def test_an_error_without_a_wait_has_no_retry_after(client: Client) -> None:
    assert "Retry-After" not in client.get("/api/fails/missing").headers


@pytest.mark.parametrize("how", ["database-away", "unforeseen"])
def test_what_the_server_knows_stays_with_the_server(client: Client, how: str) -> None:
    body = client.get(f"/api/fails/{how}").content.decode()
    assert "10.0.0.1" not in body
    assert "secret" not in body


def test_a_sentence_of_the_view_reaches_the_client(client: Client) -> None:
    assert client.get("/api/fails/missing").json()["error"]["message"] == "No such anomaly."


def test_an_invalid_body_is_explained_by_field(client: Client) -> None:
    answer = client.post(
        "/api/validates", {"name": "long", "size": "x"}, content_type="application/json"
    )
    details = answer.json()["error"]["details"]
    assert answer.status_code == 400
    assert set(details) == {"name", "size"}
    assert details["size"] == ["A valid integer is required."]


def test_a_model_error_is_explained_by_field(client: Client) -> None:
    error = client.get("/api/fails/invalid-model").json()["error"]
    assert error["details"] == {"name": ["Too long."]}


def test_broken_json_is_a_parse_error(client: Client) -> None:
    answer = client.post("/api/validates", b"{", content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parse_error")


def test_a_wrong_method_says_which_are_allowed(client: Client) -> None:
    answer = client.delete("/api/validates")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_missing_login_keeps_www_authenticate(client: Client) -> None:
    answer = client.get("/api/closed")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Api-Key")


def test_an_address_that_does_not_exist_answers_in_json_under_api_only(client: Client) -> None:
    api = client.get("/api/v1/nothing")
    assert (api.status_code, api.json()["error"]["code"]) == (404, "not_found")
    page = client.get("/nothing")
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_page_that_fails_answers_as_a_page(client: Client) -> None:
    page = client.get("/page/fails")
    assert (page.status_code, page.headers["Content-Type"]) == (500, "text/html; charset=utf-8")


def test_a_page_without_its_database_says_so_and_when_to_come_back(client: Client) -> None:
    page = client.get("/page/database-away")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer" in page.content.decode()
    assert "10.0.0.1" not in page.content.decode()


@pytest.mark.parametrize(("address", "said"), [("/nothing", "Not here"), ("/page/fails", "failed")])
def test_a_page_of_ours_says_what_is_wrong(client: Client, address: str, said: str) -> None:
    assert f"{said}</h1>" in client.get(address).content.decode()
