"""An endpoint of chat completions on this machine, with the faults that real ones have."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-test-0123456789abcdef"


def completion(text, read=100, written=7):
    """A reply as recorded from an OpenAI-compatible server."""
    return {
        "id": "chatcmpl-9aBcD",
        "object": "chat.completion",
        "created": 1763700000,
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": 107},
    }


class Server:
    """What was asked, and what is answered: `faults` first, one per request, then `say`."""

    def __init__(self):
        self.requests, self.headers, self.faults = [], [], []
        self.say = lambda request: "Label: things"
        self.lock = threading.Lock()

    def reply(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.lock:
            self.requests.append(json.loads(body))
            self.headers.append(dict(handler.headers))
            fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            return 200, json.dumps(completion(self.say(json.loads(body)))), {}
        if fault == "silence":
            time.sleep(0.6)
            return None
        status, text, *headers = fault
        return status, text, headers[0] if headers else {}


@contextmanager
def serve(monkeypatch):
    """Run a server; the environment points to it."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            found = server.reply(self)
            if found is None:
                return
            status, text, headers = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
