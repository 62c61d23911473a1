// SPDX-License-Identifier: MIT OR Apache-2.0

//! A real browser in the network of a host: Debian's Chromium without a screen, by the protocol of
//! WebDriver.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::qubes_box::QubesBox;

/// Where chromedriver listens, in the host's network.
const DRIVER: &str = "http://127.0.0.1:9515/session";

/// A running browser.
pub struct Browser<'a> {
    qubes: &'a QubesBox,
    host: Option<String>,
    driver: Child,
    session: String,
    _profile: TempDir,
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = self.ask("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl<'a> Browser<'a> {
    /// Starts one in a host, or on the network around.
    pub fn start(qubes: &'a QubesBox, host: Option<&str>) -> Browser<'a> {
        let driver = qubes
            .in_network_of(host, "chromedriver")
            .arg("--port=9515")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Browser {
            qubes,
            host: host.map(str::to_owned),
            driver,
            session: String::new(),
            _profile: profile,
        };
        let profile = browser._profile.path().display();
        let options = json!({ "capabilities": { "alwaysMatch": { "acceptInsecureCerts": true, "goog:chromeOptions": { "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            format!("--user-data-dir={profile}"),
        ] } } } });
        let started = Instant::now();
        browser.session = loop {
            let answer = browser.ask("POST", "", &options);
            if let Some(session) = answer["sessionId"].as_str() {
                break format!("/{session}");
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{answer}");
            std::thread::sleep(Duration::from_millis(200));
        };
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut curl = self.qubes.in_network_of(self.host.as_deref(), "curl");
        curl.args(["--silent", "--max-time", "60", "--request", method])
            .arg(format!("{DRIVER}{}{path}", self.session));
        // Chromedriver ends no session for a request with a body.
        if !body.is_null() {
            curl.args(["--data", &body.to_string()]);
        }
        let output = curl.output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["value"].clone()
    }

    /// Opens a page and waits until its text is as wanted; the text.
    #[track_caller]
    pub fn read(&mut self, url: &str, wanted: impl Fn(&str) -> bool) -> String {
        // A page that differs in its fragment alone is not loaded anew.
        for url in ["about:blank", url] {
            let failed = self.ask("POST", "/url", &json!({ "url": url }));
            assert!(failed.is_null(), "{failed}");
        }
        self.wait(wanted)
    }

    /// Goes on in another tab, which knows of the first one what the browser keeps.
    pub fn new_tab(&mut self) {
        let tab = self.ask("POST", "/window/new", &json!({ "type": "tab" }));
        let handle = json!({ "handle": tab["handle"] });
        let failed = self.ask("POST", "/window", &handle);
        assert!(failed.is_null(), "{failed}");
    }

    /// Waits until the text of the open page is as wanted; the text.
    #[track_caller]
    pub fn wait(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        let started = Instant::now();
        loop {
            let answer = self.ask("POST", "/execute/sync", &script);
            let text = answer.as_str().unwrap_or_default();
            if wanted(text) {
                return text.to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{answer}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}
