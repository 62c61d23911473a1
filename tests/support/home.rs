// SPDX-License-Identifier: MIT OR Apache-2.0

//! The home of a qube's user, who is not root, with the formula's tools beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::npm::{FORMULA, node, with_packages};
use super::{Built, said};

/// A folder with the home `user` and the tools below `local`.
pub struct Home {
    folder: TempDir,
    node: PathBuf,
}

impl Home {
    /// With the tools of a build, run by somebody else, which needs root.
    pub fn new(built: Built) -> Home {
        let home = Home {
            folder: tempfile::tempdir().unwrap(),
            node: node(),
        };
        let built = with_packages(built);
        let copied = Command::new("cp")
            .arg("--recursive")
            .arg(built.output.join(FORMULA).join("files/usr/local"))
            .arg(home.folder.path())
            .status();
        assert!(copied.unwrap().success());
        fs::create_dir_all(home.path(".openclaw")).unwrap();
        home.give();
        home
    }

    /// Gives all that is in it to its user.
    pub fn give(&self) {
        let given = Command::new("chown")
            .args(["-R", "--no-dereference", "nobody:"])
            .arg(self.folder.path())
            .status();
        assert!(given.unwrap().success());
    }

    /// A path in the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("user").join(name)
    }

    /// Writes a file of the user.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self.give();
    }

    /// The text of a file of the user; nothing if there is none.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The user's `openclaw.json`.
    #[track_caller]
    pub fn settings(&self) -> Value {
        serde_json::from_str(&self.text(".openclaw/openclaw.json")).unwrap()
    }

    /// Says what the formula configured.
    pub fn configure(&self, settings: &Value) {
        let path = self
            .folder
            .path()
            .join("local/share/openclaw/settings.json");
        fs::write(path, settings.to_string()).unwrap();
        self.give();
    }

    /// The names in a folder of the user, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A tool as its user runs it, by another command if one is given.
    pub fn command(&self, before: &[&str], tool: &str, arguments: &[&str]) -> Command {
        let path = self.folder.path().join("local/bin").join(tool);
        // The qube's own Node is what its first line names.
        let text = fs::read_to_string(&path).unwrap();
        let expected = format!("#!{}", openclaw_formula::openclaw::node_bin());
        assert_eq!(text.lines().next(), Some(expected.as_str()));
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "env"])
            .args(["-i", "PATH=/usr/bin:/bin"])
            .arg(format!("HOME={}", self.path("").display()).trim_end_matches('/'))
            .args(before)
            .arg(&self.node)
            .arg(path)
            .args(arguments)
            .current_dir(self.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a tool.
    pub fn run(&self, before: &[&str], tool: &str, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(before, tool, arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// Runs a tool, which must succeed; what it said.
    #[track_caller]
    pub fn must(&self, tool: &str, arguments: &[&str]) -> String {
        let output = self.run(&[], tool, arguments, "");
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// Runs a tool, which must refuse, with one message and no stack of calls; what it said.
    #[track_caller]
    pub fn refuses(&self, tool: &str, arguments: &[&str], status: i32) -> String {
        let output = self.run(&[], tool, arguments, "");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(!said.contains("    at "), "{said}");
        said
    }

    /// Runs a script on one of the tools' modules and an input: a function of both, in JavaScript.
    #[track_caller]
    pub fn with_module(&self, module: &str, script: &str, input: &Value) -> Value {
        let module = self.folder.path().join("local/lib/openclaw").join(module);
        let script = format!(
            "const it = require('{}');
             const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
             console.log(JSON.stringify(({script})(it, input)));",
            module.display()
        );
        let mut child = Command::new(&self.node)
            .args(["-e", &script])
            .env(
                "HOME",
                self.path("").display().to_string().trim_end_matches('/'),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = input.to_string();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Mode and owner of a file.
    pub fn mode(&self, name: &str) -> String {
        let mut stat = Command::new("stat");
        super::stdout(stat.args(["-c", "%a %U"]).arg(self.path(name)))
    }

    /// With these before a tool, no file may grow, as on a full disk.
    pub fn full_disk() -> [&'static str; 4] {
        // The signal that says so is ignored, which leaves the error.
        ["sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]
    }

    /// The whole folder, for what is neither in the home nor a tool.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
