// SPDX-License-Identifier: MIT OR Apache-2.0

//! Real turns of the agent, through the real gateway under its generated unit, for each set of
//! providers: from `openclaw agent` to a model, and back. The models are stand-ins, on loopback.

use std::cell::Cell;

use crate::support::bed::{Bed, Salt, wait_for};
use crate::support::qubes_box::QubesBox;
use crate::support::{Built, said};
use serde_json::Value;

const OPENAI: &str = "http://127.0.0.1:8001";
/// The same server with other keys: what the user has is wrong there.
const REFUSES: &str = "http://127.0.0.1:8002";
const PROMPT: &str = "the quick brown fox jumps";
const LOG: &str = "/tmp/models.log";

/// A qube with all providers, that the user has made ready: keys, a login, a model.
struct Qube {
    bed: Bed,
    sessions: Cell<u32>,
}

impl Qube {
    fn new() -> Qube {
        let built = Built::example("multi-provider-tunnel-standalone.toml");
        let bed = Bed::qube(Salt::V3007, &built, "openclaw-vm", true);
        let qube = Qube {
            bed,
            sessions: Cell::new(0),
        };
        qube.bed.must(
            "cp -a /mnt/standin/root/qube/usr/local/lib/. /usr/local/lib/ && \
             install -d -o user -g user -m 700 /home/user/.openclaw",
        );
        qube.bed.apply("openclaw.install", false).succeeded();
        qube.user(
            "umask 077 && printf '%s\\n' OPENAI_API_KEY=right ANTHROPIC_API_KEY=right >.openclaw/.env && \
             NO_OPEN_BROWSER=1 cursor-agent login",
        );
        // Which answers come as a stream, the gateway tells only when asked.
        qube.bed.write(
            "/etc/systemd/user/openclaw-gateway.service.d/test.conf",
            "[Service]\nEnvironment=OPENCLAW_DEBUG_MODEL_TRANSPORT=1\n",
        );
        for (port, key) in [(8001, "right"), (8002, "another")] {
            qube.bed.must(&format!(
                "systemd-run --quiet --setenv=OPENAI_API_KEY={key} --setenv=ANTHROPIC_API_KEY={key} \
                 /mnt/standin/provider/model-server {port} {LOG}"
            ));
        }
        qube.bed.apply("openclaw.configure", false).succeeded();
        qube.user("ollama pull gemma4");
        qube
    }

    /// Runs a shell command as the qube's user, which must succeed.
    #[track_caller]
    fn user(&self, script: &str) -> String {
        self.bed.must(&QubesBox::as_user(script))
    }

    /// What a service has said.
    fn journal(&self, unit: &str) -> String {
        self.bed
            .must(&format!("journalctl -o cat _SYSTEMD_USER_UNIT={unit}"))
    }

    /// Makes an example the configuration, as a user would by hand, with the models elsewhere; the
    /// gateway takes it up as it runs.
    #[track_caller]
    fn switch(&self, example: &str, openai: &str) {
        let path = format!("/usr/local/share/openclaw/examples/openclaw-{example}.json");
        let mut config: Value =
            serde_json::from_str(&self.bed.must(&format!("cat {path}"))).unwrap();
        for (provider, base, api) in [
            ("openai", format!("{openai}/v1"), "openai-responses"),
            ("anthropic", openai.to_owned(), "anthropic-messages"),
        ] {
            if let Some(settings) = config["models"]["providers"].get_mut(provider) {
                settings["baseUrl"] = base.into();
                settings["api"] = api.into();
            }
        }
        // A change of the memory's model restarts the gateway, which takes longer than the turns. The
        // rollouts test that restart.
        config.as_object_mut().unwrap().remove("memory");
        // What the gateway has said of each change that it saw.
        let changes = || -> Vec<String> {
            let journal = self.journal("openclaw-gateway.service");
            let mut changes = journal.split("[reload] config change detected");
            changes.next();
            changes.map(str::to_owned).collect()
        };
        let before = changes().len();
        let mut failed = 0;
        self.bed.write("/home/user/new.json", &config.to_string());
        let save = "umask 077 && cat new.json >.openclaw/new.json && \
                    mv .openclaw/new.json .openclaw/openclaw.json";
        self.user(save);
        wait_for("the gateway to take up a configuration", || {
            let said = changes().split_off(before).concat();
            // It does not while a plugin that goes is still at work, and asks to be told again.
            if said.matches("[reload] config reload failed").count() > failed {
                failed += 1;
                self.user(save);
            }
            // The first change still restarts the gateway: it takes the installed setting away.
            let taken = said.contains("[reload] config hot reload applied")
                || said.contains("[gateway] ready");
            taken.then_some(())
        });
    }

    /// One turn in a session of its own: whether it succeeded, and what was said.
    fn turn(&self, message: &str, more: &str) -> (bool, String) {
        self.sessions.set(self.sessions.get() + 1);
        let output = self.bed.run(&QubesBox::as_user(&format!(
            "openclaw agent --agent main --session-id turn-{} {more} --message '{message}'",
            self.sessions.get()
        )));
        (output.status.success(), said(&output))
    }

    /// A turn that must be answered, once.
    #[track_caller]
    fn answers(&self, more: &str) {
        let (succeeded, said) = self.turn(PROMPT, more);
        let answer = format!("{PROMPT}\n");
        assert!(
            succeeded && said.starts_with("You said: ") && said.ends_with(&answer),
            "{more}: {said}"
        );
        assert_eq!(said.matches(PROMPT).count(), 1, "{said}");
    }

    /// What the models were asked.
    fn asked(&self) -> Vec<Value> {
        let log = self.bed.must(&format!("cat {LOG}"));
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_turn_reaches_each_provider_and_comes_back() {
    let qube = Qube::new();

    // All of them, the first by default.
    qube.switch("multi-provider", OPENAI);
    qube.answers("");
    for model in [
        "openai/gpt-6-astra",
        "anthropic/claude-opus-5",
        "ollama/gemma4",
    ] {
        qube.answers(&format!("--model {model}"));
    }

    // Each alone, and the model runs a command in the qube where it has tools.
    for provider in ["cursor", "openai", "anthropic", "ollama"] {
        qube.switch(provider, OPENAI);
        qube.answers("");
        if ["openai", "anthropic"].contains(&provider) {
            let (succeeded, said) = qube.turn("run: id -un; pwd; uname -s", "");
            assert!(
                succeeded && said == "The tool said: user /home/user/.openclaw/workspace Linux\n",
                "{said}"
            );
        }
    }

    // Every answer was streamed.
    let journal = qube.journal("openclaw-gateway.service");
    for route in [
        "provider=cursor api=openai-completions",
        "provider=openai api=openai-responses",
        "provider=anthropic api=anthropic-messages",
    ] {
        let mut answers = journal
            .lines()
            .filter(|line| line.contains("[model-fetch] response") && line.contains(route))
            .peekable();
        assert!(answers.peek().is_some(), "{route}: {journal}");
        for answer in answers {
            assert!(answer.contains("contentType=text/event-stream"), "{answer}");
        }
    }
    let ollama = qube.journal("openclaw-ollama.service");
    assert!(
        ollama.contains("chat with gemma4, stream: True"),
        "{ollama}"
    );
    for path in ["/v1/responses", "/v1/messages"] {
        let asked = qube.asked();
        let mut turns = asked
            .iter()
            .filter(|asked| asked["path"] == path && asked["tools"].to_string().contains("exec"))
            .peekable();
        assert!(turns.peek().is_some(), "{asked:#?}");
        for turn in turns {
            assert_eq!(
                (&turn["status"], &turn["stream"]),
                (&200.into(), &true.into())
            );
        }
    }

    // No other model was called, such as the smaller one for recaps that OpenClaw has for each.
    for asked in qube.asked() {
        assert!(
            ["gpt-6-astra", "claude-opus-5"].contains(&asked["model"].as_str().unwrap_or_default()),
            "{asked:#}"
        );
    }

    // Last, for OpenClaw uses a key that was refused no more for a minute.
    for provider in ["openai", "anthropic"] {
        qube.switch(provider, REFUSES);
        let (succeeded, said) = qube.turn(PROMPT, "");
        let words = said.to_lowercase();
        assert!(
            !succeeded && words.contains("authentication failed") && words.contains("http 401"),
            "{provider}, {succeeded}: {said}"
        );
    }
}
