#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Proves that the stand-ins of the providers' programs do what those do, faults included. Needs
no network, and nothing but Python.

    /usr/bin/python3 tests/standin/provider/provider_selftest.py
"""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
MODULE = "github.com/menezmethod/openclaw-cursor/cmd/openclaw-cursor"
VERSION = "v0.0.0-20260215072851-fc4b5ca1d3dc"
SLOW = "#!/bin/sh\necho $$ >\"$HOME/pid\"\necho \"$@\" >\"$HOME/arguments\"\nexec sleep 60\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listeners(port):
    """The addresses, in hexadecimal, on which something listens."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(table):
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
            found += [row[1].partition(":")[0] for row in rows
                      if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port]
    return found


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.home])
        self.env = {"HOME": self.home, "PATH": HERE + ":/usr/bin:/bin"}
        self.port = free_port()

    def run_(self, *argv, code=0, **more):
        done = subprocess.run(argv, env={**self.env, **more.pop("env", {})}, text=True,
                              capture_output=True, timeout=10, **more)
        self.assertEqual(done.returncode, code, done)
        self.stderr = done.stderr
        return done.stdout

    def write(self, path, text, mode=0o644):
        path = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def until(self, what):
        for _ in range(200):
            if what():
                return
            time.sleep(0.02)
        self.fail("in vain")

    def start(self, *argv, said):
        """A server that has said something in its log."""
        log = os.path.join(self.home, "log")
        with open(log, "w", encoding="utf-8") as file:
            server = subprocess.Popen(argv, env=self.env, stderr=file, stdout=file)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.until(lambda: said in self.read("log"))
        return server

    def read(self, path):
        with open(os.path.join(self.home, path), encoding="utf-8") as file:
            return file.read()

    def connect(self, host="127.0.0.1"):
        connection = http.client.HTTPConnection(host, self.port, timeout=10)
        self.addCleanup(connection.close)
        return connection

    def ask(self, method, path, body=None, status=200, host="127.0.0.1", **headers):
        connection = self.connect(host)
        connection.request(method, path, body if body is None or isinstance(body, str)
                           else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        self.assertEqual(answer.status, status, text)
        self.kind = answer.headers["Content-Type"]
        return json.loads(text) if self.kind == "application/json" else text


class Proxy(Case):
    def serve(self, wait=True, **config):
        self.write(".openclaw/cursor-proxy.json", json.dumps({"port": self.port, **config}))
        server = self.start("openclaw-cursor", "start", said="proxy listening (version dev)")
        if wait:
            self.until(lambda: listeners(self.port))
        return server

    def login(self):
        self.run_("cursor-agent", "login")

    def chat(self, *messages, status=200, model="auto", headers={}, **more):
        return self.ask("POST", "/v1/chat/completions", {"model": model, "messages": [
            {"role": role, "content": text} for role, text in messages], **more}, status, **headers)

    def test_it_listens_on_every_interface_without_a_password(self):
        server = self.serve()
        self.assertIn(listeners(self.port), (["0" * 32], ["0" * 8]))
        for host in ("127.0.0.1", "127.0.0.2", *["::1"] * (len(listeners(self.port)[0]) == 32)):
            self.assertEqual(self.ask("GET", "/health", host=host)["status"], "healthy")
        server.terminate()
        self.assertEqual(server.wait(5), 0)
        self.assertIn('level=INFO msg="shutting down..."', self.read("log"))

    def test_health_tells_the_truth_in_two_fields_only(self):
        self.env["PATH"] = "/usr/bin:/bin"
        self.write(".openclaw/cursor-proxy.json", json.dumps({"port": self.port}))
        self.start(os.path.join(HERE, "openclaw-cursor"), "start", said="proxy listening")
        self.until(lambda: listeners(self.port))
        health = {"status": "healthy", "cursor_agent": "unavailable", "authenticated": False,
                  "proxy_version": "dev"}
        if not os.path.exists("/usr/local/bin/cursor-agent"):
            self.assertEqual(self.ask("GET", "/health"), health)
        self.write(".local/bin/cursor-agent", "", 0o755)
        self.write(".config/cursor/auth.json", "{}")
        health["cursor_agent"] = "available"
        self.assertEqual(self.ask("GET", "/health"), health)
        self.write(".cursor/cli-config.json", "")
        self.assertEqual(self.ask("GET", "/health"), {**health, "authenticated": True})

    def test_its_routes(self):
        self.serve()
        models = self.ask("GET", "/v1/models")
        self.assertEqual(models["object"], "list")
        self.assertIn({"id": "auto", "object": "model", "created": 1700000000,
                       "owned_by": "cursor"}, models["data"])
        self.assertEqual(len({model["id"] for model in models["data"]}), 33)
        self.assertEqual(self.ask("GET", "/v1", status=404), "404 page not found\n")
        self.ask("POST", "/health", status=405)
        self.ask("GET", "/v1/chat/completions", status=405)

    def test_a_taken_port_makes_it_log_and_hang(self):
        with socket.create_server(("127.0.0.1", self.port)):
            server = self.serve(wait=False)
            self.until(lambda: "level=ERROR" in self.read("log"))
            self.assertRegex(self.read("log"), r'msg="proxy listening \(version dev\)" addr=:\d+\n'
                             r'.* level=ERROR msg="server error" err="listen tcp :\d+: bind: '
                             r'address already in use"')
            with self.assertRaises(subprocess.TimeoutExpired):
                server.wait(0.3)
            server.terminate()
            self.assertEqual(server.wait(5), 0)

    def test_a_chat(self):
        self.serve(workspace=self.home)
        self.login()
        answer = self.chat(("system", "Be kind"), ("user", "hello there"), model="cursor/auto")
        self.assertLess(abs(answer.pop("created") - time.time()), 10)
        # Cursor's last event repeats everything.
        self.assertEqual(answer, {
            "id": "openclaw-cursor-1", "object": "chat.completion", "model": "auto",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": "You said: hello there" * 2}}]})
        parts = [{"type": "text", "text": "one"}, {"type": "image_url"},
                 {"type": "text", "text": "two"}]
        answer = self.chat(("user", parts))
        self.assertIn("You said: one two", answer["choices"][0]["message"]["content"])

    def test_a_stream(self):
        self.serve()
        self.login()
        text = self.chat(("user", "hello there"), stream=True)
        self.assertEqual(self.kind, "text/event-stream")
        *chunks, done, end = text.split("\n\n")
        self.assertEqual((done, end), ("data: [DONE]", ""))
        chunks = [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]
        self.assertEqual(chunks[0], {
            "id": "openclaw-cursor-0", "object": "chat.completion.chunk", "created": 0,
            "model": "auto", "choices": [
                {"index": 0, "delta": {"content": "You"}, "finish_reason": None}]})
        self.assertEqual([chunk["choices"][0]["delta"]["content"] for chunk in chunks],
                         ["You", " said:", " hello", " there", "You said: hello there"])

    def test_a_text_that_goes_on_from_the_last_one(self):
        event = '{{"type":"assistant","message":{{"content":[{{"type":"text","text":"{}"}}]}}}}'
        lines = [event.format("a"), event.format("ab"), "{", "", '{"type":"result"}',
                 event.format("ab"), event.format("c")]
        self.write("bin/cursor-agent", "#!/bin/sh\ncat <<'END'\n{}\nEND\n".format(
            "\n".join(lines)), 0o755)
        self.env["PATH"] = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.serve()
        text = self.chat(("user", "x"), stream=True)
        self.assertEqual(re.findall('"content": "(.*?)"', text), ["a", "b", "c"])
        answer = self.chat(("user", "x"))
        self.assertEqual(answer["choices"][0]["message"]["content"], "aababc")

    def test_every_error_is_a_429(self):
        self.serve()
        for body in ("{", "[]", '{"model": 1}', '{"model": "auto", "messages": [1]}'):
            error = self.ask("POST", "/v1/chat/completions", body, 429)["error"]
            self.assertEqual(error["type"], "invalid_request")
        error = self.chat(("user", "x"), model="gpt-6", status=429)["error"]
        self.assertEqual((error["type"], error["code"]), ("model_unavailable",) * 2)
        self.assertEqual(self.chat(("user", "x"), status=429)["error"]["type"], "auth_failed")
        error = self.chat(("user", "x"), status=429, headers={
            "x-openclaw-workspace": "/nowhere"})["error"]
        self.assertEqual(error["type"], "unknown")
        # And a stream hides it.
        self.assertEqual(self.chat(("user", "x"), stream=True), "data: [DONE]\n\n")

    def test_what_cursor_agent_is_called_with_and_when_it_is_killed(self):
        self.write("bin/cursor-agent", SLOW, 0o755)
        self.env["PATH"] = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.serve(timeout_ms=300)
        fixed = "--print --output-format stream-json --stream-partial-output --trust --workspace "
        error = self.chat(("user", "x"), status=429, model="grok")["error"]
        self.assertEqual(error["type"], "unknown")
        self.assertEqual(self.read("arguments"), fixed + self.home + " --model grok\n")
        self.chat(("user", "x"), status=429, headers={"x-openclaw-workspace": " ~/a "})
        self.assertEqual(self.read("arguments"), fixed + self.home + "/a --model auto\n")

    def test_who_leaves_a_stream_ends_cursor_agent(self):
        self.write("bin/cursor-agent", SLOW, 0o755)
        self.env["PATH"] = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.serve()
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": True}))
        connection.getresponse().close()
        self.until(lambda: os.path.exists(self.home + "/pid") and self.read("pid"))
        connection.close()
        self.until(lambda: not os.path.exists("/proc/" + self.read("pid").strip()))

    def test_its_configuration(self):
        given = {"port": self.port, "tool_mode": "x", "unknown": 1, "workspace": "~/w"}
        self.write("bin/cursor-agent", SLOW, 0o755)
        self.env["PATH"] = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.serve(**given, timeout_ms=200, log_level="info")
        self.chat(("user", "x"), status=429)
        self.assertIn("--workspace {}/w ".format(self.home), self.read("arguments"))
        # What cannot be parsed counts for nothing.
        for broken in ("{", "[]", '{"port": "1"}', '{"port": 1.5}', '{"timeout_ms": "x"}'):
            self.write(".openclaw/cursor-proxy.json", broken)
            self.start("openclaw-cursor", "start", said="addr=:32125\n").kill()

    def test_quiet(self):
        self.write(".openclaw/cursor-proxy.json", json.dumps(
            {"port": self.port, "log_level": "error"}))
        self.start("openclaw-cursor", "start", said="")
        self.until(lambda: listeners(self.port))
        self.assertEqual(self.read("log"), "")

    def test_login(self):
        status = "Authentication: {}\ncursor-agent: " + HERE + "/cursor-agent\nProxy: not running\n"
        self.write(".openclaw/cursor-proxy.json", json.dumps({"port": self.port}))
        self.assertEqual(self.run_("openclaw-cursor", "status"), status.format("false"))
        self.assertIn("https://cursor.com/", self.run_("openclaw-cursor", "login"))
        self.assertEqual(self.stderr, "Login successful.\n")
        self.serve()
        self.assertIn("Credentials: {}/.cursor/cli-config.json\n".format(self.home),
                      self.run_("openclaw-cursor", "status"))
        self.assertIn("Proxy: running on port {}\n".format(self.port),
                      self.run_("openclaw-cursor", "status"))
        self.assertTrue(self.ask("GET", "/health")["authenticated"])

    def test_a_login_is_cut_short_by_a_file_that_is_there(self):
        self.write(".cursor/cli-config.json", "{}")
        self.write("bin/cursor-agent", SLOW, 0o755)
        path = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.run_("openclaw-cursor", "login", env={"PATH": path})
        self.assertEqual(self.stderr, "Login successful.\n")
        self.assertIn("Not logged in", self.run_("cursor-agent", "status"))

    def test_a_login_that_fails(self):
        self.write("bin/cursor-agent", "#!/bin/sh\nexit 3\n", 0o755)
        path = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.run_("openclaw-cursor", "login", code=1, env={"PATH": path})
        self.assertIn("Error: cursor-agent login: status 3\nUsage:\n", self.stderr)

    def test_what_it_refuses(self):
        self.assertEqual(self.run_("openclaw-cursor", "version"), "dev\n")
        self.assertIn("Usage:", self.run_("openclaw-cursor"))
        self.assertIn("Usage:", self.run_("openclaw-cursor", "start", "--help"))
        # Words that are too many it takes.
        self.run_("openclaw-cursor", "version", "x")
        for argv, said in ((("bogus",), 'unknown command "bogus" for "openclaw-cursor"'),
                           (("main",), 'unknown command "main" for "openclaw-cursor"'),
                           (("start", "--port=1"), "unknown flag: --port=1"),
                           (("--version",), "unknown flag: --version")):
            self.assertEqual(self.run_("openclaw-cursor", *argv, code=1), "")
            self.assertTrue(self.stderr.startswith("Error: " + said), self.stderr)
            self.assertTrue(self.stderr.endswith("\n" + said + "\n"), self.stderr)
            self.assertRegex(self.stderr, "(?i)usage")


class Agent(Case):
    ask_ = ("cursor-agent", "--disable-auto-update", "--print")

    def test_login(self):
        self.assertEqual(self.run_("cursor-agent", "status"), "Not logged in\n")
        self.run_(*self.ask_, "hello", code=1)
        self.assertIn("Authentication required", self.stderr)
        self.assertEqual(self.run_(*self.ask_, "hello", env={"CURSOR_API_KEY": "x"}),
                         "You said: hello\n")
        self.run_("cursor-agent", "--disable-auto-update", "login")
        self.assertTrue(self.run_("cursor-agent", "status").startswith("Logged in as"))
        for path in (".cursor/cli-config.json", ".config/cursor/auth.json"):
            self.assertEqual(os.stat(os.path.join(self.home, path)).st_mode & 0o777, 0o600)

    def test_answers(self):
        self.run_("cursor-agent", "login")
        ask = (*self.ask_, "--trust", "--workspace", self.home, "--model", "auto")
        prompt = "SYSTEM: x\n\nUSER: " + " ".join(map(str, range(10)))
        self.assertEqual(self.run_(*ask, input=prompt), "You said: 2 3 4 5 6 7 8 9\n")
        added = "\n\nRuntime: x\n\nUSER: <<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nx"
        self.assertEqual(self.run_(*ask, input=prompt + added), "You said: 2 3 4 5 6 7 8 9\n")
        stream = (*ask, "--output-format", "stream-json")
        for more, texts in (((), ["You said: a b"]), (("--stream-partial-output",), [
                "You", " said:", " a", " b", "You said: a b"])):
            lines = self.run_(*stream, *more, input="a b").splitlines()
            events = [json.loads(line) for line in lines]
            self.assertEqual([event["type"] for event in events],
                             ["system", "user", *["assistant"] * len(texts), "result"])
            said = [event for event in events if event["type"] == "assistant"]
            self.assertEqual([event["message"]["content"][0]["text"] for event in said], texts)
            self.assertNotIn("timestamp_ms", said[-1])

    def test_what_it_refuses(self):
        self.run_("cursor-agent", "login")
        for argv in (("--bogus",), ("login", "--bogus"), ("bogus",), (), ("--trust",),
                     ("--print", "--output-format", "xml"), ("--print", "--stream-partial-output"),
                     ("--print", "--workspace", "/nowhere")):
            self.run_("cursor-agent", *argv, code=1, input="x")
            self.assertTrue(self.stderr.startswith("error: "), self.stderr)


class Go(Case):
    def setUp(self):
        super().setUp()
        self.env.update(OPENCLAW_STANDIN_PROVIDER=HERE, **{
            name: os.path.join(self.home, path) for name, path in (
                ("GOBIN", "bin"), ("GOPATH", "go"), ("GOCACHE", "go/build"))})

    def test_install(self):
        self.run_("go", "install", "-trimpath", "{}@{}".format(MODULE, VERSION))
        program = os.path.join(self.home, "bin", "openclaw-cursor")
        self.assertEqual(os.listdir(os.path.dirname(program)), ["openclaw-cursor"])
        self.assertEqual(self.run_(program, "version"), "dev\n")
        lines = self.run_("go", "version", "-m", program).split("\n")
        self.assertEqual(lines[:3], [
            program + ": go1.24.4", "\tpath\t" + MODULE,
            "\tmod\t{}\t{}\th1:standin=".format(
                MODULE.removesuffix("/cmd/openclaw-cursor"), VERSION)])
        # As the formula clears it away, and what it does not.
        self.assertTrue(os.listdir(os.path.join(self.home, "go", "build")))
        cached = os.path.join(self.home, "go", "pkg", "mod", os.path.dirname(
            os.path.dirname(MODULE)) + "@" + VERSION)
        self.assertFalse(os.stat(cached).st_mode & 0o222)
        self.assertTrue(os.path.isdir(os.path.join(self.home, ".config", "go", "telemetry")))
        self.run_("go", "version", "-m", program, env={"XDG_CONFIG_HOME": self.home + "/x"})
        self.assertTrue(os.path.isdir(os.path.join(self.home, "x", "go", "telemetry")))

    def test_what_it_refuses(self):
        self.assertRegex(self.run_("go", "version"), r"^go version go1\.\d+\.\d+ linux/amd64\n$")
        self.run_("go", "version", "-m", "/nowhere", code=1)
        self.run_("go", "version", "-m", "/bin/sh", code=1)
        right = ("install", "-trimpath", "{}@{}".format(MODULE, VERSION))
        for name in ("GOBIN", "GOPATH", "GOCACHE"):
            for value in ("", "relative"):
                self.run_("go", *right, code=2, env={name: value})
                self.assertIn(name, self.stderr)
        for argv in ((), ("build",), ("install", right[2]), ("install", *right[1:], "x"),
                     ("install", "-trimpath", MODULE), ("install", "-trimpath", MODULE + "@latest"),
                     ("install", "-trimpath", "example.com/x@" + VERSION), ("env",)):
            self.run_("go", *argv, code=2)
            self.assertTrue(self.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.home, "bin")))


class Ollama(Case):
    def setUp(self):
        super().setUp()
        self.env["OLLAMA_HOST"] = "127.0.0.1:{}".format(self.port)

    def serve(self):
        return self.start("ollama", "serve", said="Listening on")

    def test_models(self):
        server = self.serve()
        self.assertEqual(listeners(self.port), ["0100007F"])
        self.assertEqual(self.ask("GET", "/"), "Ollama is running")
        self.assertEqual(self.ask("HEAD", "/"), "")
        self.assertEqual(self.ask("GET", "/api/tags"), {"models": []})
        self.run_("ollama", "pull", "gemma4")
        self.assertTrue(self.stderr.endswith("writing manifest\nsuccess\n"), self.stderr)
        self.ask("POST", "/api/pull", {"model": "llama3:8b", "stream": False})
        self.ask("POST", "/api/pull", {"model": "mine/llama3", "stream": False})
        server.terminate()
        server.wait()
        self.assertEqual(sorted(os.listdir(os.path.join(self.home, ".ollama"))),
                         ["id_ed25519", "id_ed25519.pub", "models"])
        self.serve()
        models = self.ask("GET", "/api/tags")["models"]
        self.assertEqual([model["name"] for model in models],
                         ["gemma4:latest", "llama3:8b", "mine/llama3:latest"])
        self.assertEqual(set(models[0]), {"name", "model", "modified_at", "size", "digest", "details"})
        self.assertRegex(self.run_("ollama", "list"),
                         r"^NAME .*\ngemma4:latest +[0-9a-f]{12} +6 B ")

    def test_pull_streams(self):
        self.serve()
        said = self.ask("POST", "/api/pull", {"model": "gemma4"})
        self.assertEqual(self.kind, "application/x-ndjson")
        lines = [json.loads(line) for line in said.splitlines()]
        self.assertEqual(lines[2]["total"], lines[2]["completed"])
        self.assertEqual([re.sub("[0-9a-f]{12}", "X", line["status"]) for line in lines],
                         ["pulling manifest", "pulling X", "pulling X", "verifying sha256 digest",
                          "writing manifest", "success"])
        self.assertIn("error", self.ask("POST", "/api/pull", {"model": "missing"}))
        self.ask("POST", "/api/pull", {"model": "missing", "stream": False}, 500)
        self.run_("ollama", "pull", "missing", code=1)
        self.assertIn("Error: pull model manifest", self.stderr)

    def test_chat_and_show(self):
        self.serve()
        for path in ("/api/show", "/api/chat"):
            self.assertEqual(self.ask("POST", path, {"model": "gemma4"}, 404),
                             {"error": "model 'gemma4' not found"})
            for body in ("", "{", "{}", "[]", '{"model": "../x"}', '{"model": 1}'):
                self.assertIn("error", self.ask("POST", path, body, 400))
        self.run_("ollama", "pull", "gemma4")
        shown = self.ask("POST", "/api/show", {"model": "gemma4:latest"})
        self.assertEqual(shown["capabilities"], ["completion", "tools"])
        chat = {"model": "gemma4", "messages": [{"role": "user", "content": "hello there"}]}
        lines = [json.loads(line) for line in self.ask("POST", "/api/chat", chat).splitlines()]
        self.assertEqual([line["message"]["content"] for line in lines],
                         ["You", " said:", " hello", " there", ""])
        self.assertEqual([line["done"] for line in lines], [False] * 4 + [True])
        self.assertEqual(lines[-1]["done_reason"], "stop")
        whole = self.ask("POST", "/api/chat", {**chat, "stream": False})
        self.assertEqual(whole["message"]["content"], "You said: hello there")
        self.assertTrue(whole["done"])
        added = {"role": "user", "content": "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nx"}
        whole = self.ask("POST", "/api/chat", {"model": "gemma4", "stream": False,
                                               "messages": [*chat["messages"], added]})
        self.assertEqual(whole["message"]["content"], "You said: hello there")
        self.assertIn("chat with gemma4, stream: False", self.read("log"))
        self.assertEqual(self.ask("GET", "/nowhere", status=404), "404 page not found")

    def test_version(self):
        self.assertEqual(self.run_("ollama", "--version"), "Warning: client version is 0.35.1\n")
        self.serve()
        self.assertEqual(self.run_("ollama", "--version"), "ollama version is 0.35.1\n")
        self.assertEqual(self.ask("GET", "/api/version"), {"version": "0.35.1"})

    def test_what_it_refuses(self):
        for argv in (("pull", "x"), ("list",)):
            self.run_("ollama", *argv, code=1)
            self.assertIn("could not connect", self.stderr)
        with socket.create_server(("127.0.0.1", self.port)):
            self.run_("ollama", "serve", code=1)
            self.assertIn("bind: address already in use", self.stderr)
        for argv in ((), ("bogus",), ("serve", "--port=1"), ("pull",), ("pull", "--insecure", "x")):
            self.run_("ollama", *argv, code=1)
            self.assertTrue(self.stderr.startswith("Error: "), self.stderr)


class Models(Case):
    """The model server."""
    user = {"role": "user", "content": "hello there"}
    exec_ = {"name": "exec", "parameters": {"type": "object"}, "type": "function"}
    use = {"name": "exec", "input_schema": {"type": "object"}}
    call = {"type": "function_call", "call_id": "call_1", "name": "exec", "arguments": "{}"}
    context = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nx\n<<<END_OPENCLAW_INTERNAL_CONTEXT>>>"

    def setUp(self):
        super().setUp()
        self.env.update(OPENAI_API_KEY="right", ANTHROPIC_API_KEY="right too")
        self.start("model-server", str(self.port), self.home + "/asked", said="Listening on")

    def asked(self):
        return json.loads(self.read("asked").splitlines()[-1])

    def openai(self, given=(), status=200, key="Bearer right", **more):
        body = {"model": "gpt-6-astra", "input": given or [self.user], **more}
        return self.ask("POST", "/v1/responses", body, status, Authorization=key)

    def anthropic(self, *messages, status=200, key="right too", version="2023-06-01", **more):
        body = {"model": "claude-opus-5", "max_tokens": 9, "messages": messages or [self.user]}
        return self.ask("POST", "/v1/messages", {**body, **more}, status,
                        **{"x-api-key": key, "anthropic-version": version})

    def events(self, text):
        """The events of a stream, and whether each is named as its type."""
        self.assertEqual(self.kind, "text/event-stream")
        lines = [event.split("\n") for event in text.removesuffix("\n\n").split("\n\n")]
        events = [json.loads(data.removeprefix("data: ")) for _, data in lines]
        self.assertEqual([name for name, _ in lines], ["event: " + e["type"] for e in events])
        return events

    def test_it_is_on_loopback(self):
        self.assertEqual(listeners(self.port), ["0100007F"])
        self.ask("GET", "/v1/models", status=404)
        self.ask("POST", "/v1/chat/completions", {}, 404)
        self.assertEqual(self.asked(), {"path": "/v1/chat/completions", "status": 404})
        for argv in ((), ("1",), ("x", "log"), ("1", "log", "x")):
            self.run_("model-server", *argv, code=1)

    def test_responses(self):
        answer = self.openai("hello there")
        self.assertEqual(answer["output"][0]["content"][0]["text"], "You said: hello there")
        self.assertEqual(self.asked(), {
            "path": "/v1/responses", "status": 200, "model": "gpt-6-astra", "stream": False,
            "prompt": "hello there", "call": None, "tools": [], "answer": "You said: hello there"})
        # Neither what was answered before nor what OpenClaw adds is repeated.
        said = {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
        added = {"role": "user", "content": [{"type": "input_text", "text": self.context}]}
        events = self.events(self.openai([{"role": "user", "content": "y"}, said, self.user, added],
                                         stream=True))
        self.assertEqual([event["sequence_number"] for event in events], list(range(len(events))))
        self.assertEqual([event["delta"] for event in events if "delta" in event],
                         ["You", " said:", " hello", " there"])
        self.assertEqual(events[-1]["type"], "response.completed")
        self.assertEqual(events[-1]["response"]["output"], answer["output"])
        self.assertTrue(self.asked()["stream"])

    def test_responses_call_a_tool_once(self):
        wanted = {"role": "user", "content": "please run: uname -s"}
        self.assertEqual(self.openai([wanted])["output"][0]["type"], "message")
        call = self.openai([wanted], tools=[self.exec_])["output"][0]
        self.assertEqual(json.loads(call["arguments"]), {"command": "uname -s"})
        events = self.events(self.openai([wanted], tools=[self.exec_], stream=True))
        self.assertEqual("".join(event.get("delta", "") for event in events), call["arguments"])
        self.assertEqual(events[-1]["response"]["output"], [call])
        result = {"type": "function_call_output", "call_id": "call_1", "output": "Linux\n"}
        answer = self.openai([wanted, call, result], tools=[self.exec_])
        self.assertEqual(answer["output"][0]["content"][0]["text"], "The tool said: Linux")

    def test_what_responses_refuse(self):
        for key, code in (("", None), ("right", None), ("Bearer wrong", "invalid_api_key")):
            self.assertEqual(self.openai(status=401, key=key)["error"]["code"], code)
        error = self.openai(status=404, model="gpt-2")["error"]
        self.assertEqual((error["code"], self.asked()["refused"]),
                         ("model_not_found", "The model `gpt-2` does not exist"))
        result = {"type": "function_call_output", "call_id": "call_1", "output": ""}
        for given in (1, ["x"], [{"role": "nobody", "content": "x"}], [{"role": "user"}],
                      [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}],
                      [{"type": "bogus"}], [self.call], [result], [{**self.call, "name": 1}]):
            self.openai(given, 400)
        for more in ({"bogus": 1}, {"stream": 1}, {"stream": "true"}, {"max_output_tokens": True},
                     {"tools": [{}]}, {"tools": [self.use]}, {"input": []},
                     {"tools": [{**self.exec_, "name": ""}]},
                     {"tools": [{**self.exec_, "type": "web_search"}]}):
            self.openai(status=400, **more)
        for body in ("", "{", "[]", "{}", '{"model": "gpt-6-astra"}'):
            self.ask("POST", "/v1/responses", body, 400, Authorization="Bearer right")

    def test_messages(self):
        answer = self.anthropic()
        self.assertEqual(answer["content"], [{"type": "text", "text": "You said: hello there"}])
        said = {"role": "assistant", "content": [{"type": "text", "text": "x"}]}
        added = {"role": "user", "content": [{"type": "text", "text": self.context}]}
        before = {"role": "user", "content": "y"}
        events = self.events(self.anthropic(before, said, self.user, added, stream=True))
        self.assertEqual([event["delta"]["text"] for event in events
                          if event["type"] == "content_block_delta"],
                         ["You", " said:", " hello", " there"])
        self.assertEqual([event["type"] for event in events if "delta" not in event], [
            "message_start", "content_block_start", "ping", "content_block_stop", "message_stop"])
        self.assertEqual(events[-2]["delta"]["stop_reason"], "end_turn")

    def test_messages_call_a_tool_once(self):
        wanted = {"role": "user", "content": "please run: uname -s"}
        called = self.anthropic(wanted, tools=[self.use])
        self.assertEqual(called["stop_reason"], "tool_use")
        call, = called["content"]
        self.assertEqual((call["name"], call["input"]), ("exec", {"command": "uname -s"}))
        events = self.events(self.anthropic(wanted, tools=[self.use], stream=True))
        given = "".join(event["delta"].get("partial_json", "") for event in events
                        if "delta" in event)
        self.assertEqual(json.loads(given), call["input"])
        called = {"role": "assistant", "content": [call]}
        result = {"type": "tool_result", "tool_use_id": call["id"],
                  "content": [{"type": "text", "text": "Linux"}]}
        answer = self.anthropic(wanted, called, {"role": "user", "content": [result]},
                                tools=[self.use])
        self.assertEqual(answer["content"][0]["text"], "The tool said: Linux")
        text = {"type": "text", "text": "x"}
        for after in ((), (self.user,), ({"role": "user", "content": [text, result]},),
                      ({"role": "user", "content": [{**result, "tool_use_id": "x"}]},)):
            self.anthropic(wanted, called, *after, status=400)

    def test_what_messages_refuse(self):
        for key in ("", "wrong", "right"):
            self.assertEqual(self.anthropic(status=401, key=key)["error"]["type"],
                             "authentication_error")
        self.assertEqual(self.anthropic(status=404, model="claude-1")["error"],
                         {"type": "not_found_error", "message": "model: claude-1"})
        for messages in (["x"], [{"role": "system", "content": "x"}], [{"role": "user"}],
                         [{"role": "user", "content": ""}], [{"role": "user", "content": []}],
                         [{"role": "user", "content": [{"type": "bogus"}]}],
                         [{"role": "user", "content": [{"type": "tool_use"}]}]):
            self.anthropic(*messages, status=400)
        marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
        for more in ({"bogus": 1}, {"stream": 1}, {"max_tokens": 0}, {"messages": []},
                     {"tools": [self.exec_]}, {"version": ""}, {"system": [marked] * 5}):
            self.anthropic(status=400, **more)


if __name__ == "__main__":
    unittest.main()
