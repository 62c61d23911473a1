// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where directories and repositories are written, and what happens there when it cannot be done, is
//! done twice at once, or ends half-way.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{said, stdout, tool};

/// Runs the program in a folder, after a shell command whose mounts only the program sees.
fn run_after(script: &str, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec"])
        .arg(format!("{script}\nexec \"$@\""))
        .args(["sh", env!("CARGO_BIN_EXE_openclaw-formula")])
        .args(arguments)
        .current_dir(folder);
    command.output().unwrap()
}

/// The message of a refusal, after which there is nothing in the folder that was not there before.
#[track_caller]
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", said(output));
    let said = said(output);
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    said
}

#[track_caller]
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_link_means_what_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("far")).unwrap();
    let mut build = tool();
    build
        .current_dir(folder.path())
        .args(["generate", "--output", "link"]);
    symlink("far/out", at("link")).unwrap();
    let said = refusal(&build.output().unwrap());
    assert!(said.contains("error: link is a link to nothing"), "{said}");
    fs::create_dir(at("far/out")).unwrap();
    // The second time it replaces what the first has written.
    for _ in 0..2 {
        stdout(&mut build);
        assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("far/out"));
        assert_eq!(names(folder.path()), ["far", "link"]);
        assert_eq!(names(&at("far")), ["out"]);
        stdout(tool().arg("verify").arg(at("far/out")));
    }
    // What is there is judged, not the link.
    fs::write(at("far/out/letter"), "").unwrap();
    let said = refusal(&build.output().unwrap());
    assert!(said.contains("link/letter: not in the manifest"), "{said}");
}

#[test]
fn nobody_is_left_in_a_folder_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    for (output, advice) in [
        (".", "./openclaw"),
        ("..", "../openclaw"),
        ("../../a", "../../a/openclaw"),
    ] {
        let mut build = tool();
        build.current_dir(folder.path().join("a/b"));
        let said = refusal(&build.args(["build", "--output", output]).output().unwrap());
        let problem = format!("error: {output} is the folder you are in, or one around it\n");
        assert!(said.starts_with(&problem), "{said}");
        let help = format!("help: name a folder in it, such as {advice}, or");
        assert!(said.contains(&help), "{said}");
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(names(&folder.path().join("a/b")), [""; 0]);
    }
    // What is advised works.
    let mut build = tool();
    build.current_dir(folder.path().join("a/b"));
    stdout(build.args(["build", "--output", "./openclaw"]));
}

#[test]
#[ignore = "needs root"]
fn what_cannot_be_replaced_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let build = ["build", "--output", "out"];
    fs::create_dir(at("out")).unwrap();
    for mount in ["mount -t tmpfs none out", "mount --bind out out"] {
        let said = refusal(&run_after(mount, folder.path(), &build));
        let problem = "error: a file system is mounted at out\n";
        assert!(said.starts_with(problem), "{said}");
        assert!(said.contains("such as out/openclaw"), "{said}");
        let advised = ["build", "--output", "out/openclaw"];
        let done = run_after(mount, folder.path(), &advised);
        assert!(done.status.success(), "{}", crate::support::said(&done));
        let _ = fs::remove_dir_all(at("out/openclaw"));
    }
    let said = refusal(&run_after(
        "true",
        folder.path(),
        &["build", "--output", "/"],
    ));
    assert!(said.contains("a file system is mounted at /\n"), "{said}");

    // In the lower layer of an overlay, a directory may be empty, and then be replaced.
    let overlay = "mkdir -p upper work over; mount -t tmpfs none upper; mkdir upper/u upper/w; \
                   mount -t overlay none over \
                   -o lowerdir=lower,upperdir=upper/u,workdir=upper/w,redirect_dir=off; cd over";
    fs::create_dir_all(at("lower/empty")).unwrap();
    stdout(tool().args(["build", "--output"]).arg(at("lower/out")));
    let done = run_after(overlay, folder.path(), &["build", "--output", "empty"]);
    assert!(done.status.success(), "{}", crate::support::said(&done));
    let done = run_after(overlay, folder.path(), &build);
    let said = refusal(&done);
    assert!(
        said.starts_with("error: out cannot be replaced: "),
        "{said}"
    );
    assert!(said.contains("\nhelp: name another folder"), "{said}");
    assert_eq!(names(&at("lower")), ["empty", "out"]);
    assert_eq!(names(&at("lower/empty")), [""; 0]);
}

/// What a run that is killed leaves beside a directory of this name, with its lock.
fn left(folder: &Path, name: &str) -> (PathBuf, File) {
    let hash = openclaw_formula::tree::sha256(name.as_bytes());
    let left = folder.join(format!(".openclaw-formula-{}", &hash[..16]));
    fs::create_dir_all(left.join("new/dom0")).unwrap();
    fs::write(left.join("new/dom0/file"), "").unwrap();
    fs::write(left.join("lock"), "").unwrap();
    let lock = File::open(left.join("lock")).unwrap();
    (left, lock)
}

#[test]
fn a_run_waits_for_another_that_writes_to_the_same_place() {
    let folder = tempfile::tempdir().unwrap();
    let (left, lock) = left(folder.path(), "out");
    lock.lock().unwrap();
    let mut build = tool();
    build.current_dir(folder.path()).stderr(Stdio::piped());
    let mut waiting = build.args(["generate", "-o", "out"]).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "waiting for another openclaw-formula that writes to out"
    );
    // Another place is nobody's.
    let mut other = tool();
    other
        .current_dir(folder.path())
        .args(["generate", "-o", "b"]);
    assert_eq!(said(&other.output().unwrap()), "wrote b\n");
    assert!(left.join("new/dom0/file").exists());
    assert!(waiting.try_wait().unwrap().is_none());
    drop(lock);
    assert_eq!(lines.next().unwrap().unwrap(), "wrote out");
    assert!(waiting.wait().unwrap().success());
    assert_eq!(names(folder.path()), ["b", "out"]);
    stdout(tool().arg("verify").arg(folder.path().join("out")));
}

/// Many runs for one directory end one after the other, and the last one's is there.
#[test]
fn many_runs_leave_one_whole_directory() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<_> = (1..=8)
        .map(|release: u32| {
            let mut build = tool();
            build.current_dir(folder.path()).stderr(Stdio::piped());
            build.args(["generate", "-o", "out", "--release", &release.to_string()]);
            build.spawn().unwrap()
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(names(folder.path()), ["out"]);
    stdout(tool().arg("verify").arg(folder.path().join("out")));
}

#[test]
fn what_a_killed_run_left_is_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (dead, _) = left(folder.path(), "out");
    let (other, _) = left(folder.path(), "other");
    let (alive, lock) = left(folder.path(), "alive");
    lock.lock().unwrap();
    // Killed between two steps.
    let begun = at(".openclaw-formula-00000000000000ff");
    fs::create_dir(&begun).unwrap();
    // Somebody's own, whatever they are called.
    let own = [
        ".openclaw-formula-backup/lock",
        ".openclaw-formula-0123456789abcde/lock",
        ".openclaw-formula-0123456789abcdef/letter",
        ".openclaw-formula-0123456789abcdefg/lock",
        "openclaw-formula-0123456789abcdef/lock",
    ];
    for path in own {
        fs::create_dir(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), "").unwrap();
    }
    // A link leads to what is not here.
    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/lock"), "").unwrap();
    symlink("elsewhere", at(".openclaw-formula-00000000000000aa")).unwrap();
    stdout(tool().args(["generate", "-o"]).arg(at("out")));
    assert!(!dead.exists() && !other.exists() && !begun.exists());
    assert!(alive.join("new/dom0/file").exists());
    assert!(at("elsewhere/lock").exists());
    for path in own {
        assert!(at(path).exists(), "{path}");
    }
    // What is in a leftover and was not written by a run stays too.
    drop(lock);
    fs::write(alive.join("letter"), "").unwrap();
    stdout(tool().args(["generate", "-o"]).arg(at("out")));
    assert_eq!(names(&alive), ["letter"]);
}

#[test]
#[ignore = "needs root"]
fn what_another_user_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    for change in ["chown nobody", "chmod o+w"] {
        let (theirs, _) = left(folder.path(), "out");
        let (before, after) = change.split_once(' ').unwrap();
        stdout(Command::new(before).arg(after).arg(&theirs));
        let mut build = tool();
        build
            .args(["generate", "-o"])
            .arg(folder.path().join("out"));
        let said = refusal(&build.output().unwrap());
        assert!(
            said.contains(" may be written to by another user\n"),
            "{said}"
        );
        assert!(theirs.join("new/dom0/file").exists());
        fs::remove_dir_all(theirs).unwrap();
    }
}

/// A machine that loses its power has the old directory or the new one, and no empty files.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_is_published_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    for renames in [&["renameat2", "renameat"][..], &["renameat2"]] {
        let log = folder.path().join("log");
        let calls = "--trace=write,syncfs,renameat,renameat2";
        let mut traced = Command::new("strace");
        traced.args([calls, "--follow-forks", "--output"]).arg(&log);
        traced.arg(env!("CARGO_BIN_EXE_openclaw-formula"));
        stdout(
            traced
                .args(["generate", "-o"])
                .arg(folder.path().join("out")),
        );
        let log = fs::read_to_string(log).unwrap();
        // PID CALL(ARGUMENTS) = RESULT
        let calls = log
            .lines()
            .filter_map(|line| line.split_once(' ')?.1.trim().split_once('('));
        let mut calls: Vec<_> = calls.map(|(call, _)| call).collect();
        // Whatever was said to the terminal, or removed, comes after.
        let last = calls.iter().rposition(|call| *call == "syncfs").unwrap();
        assert!(calls[last..].contains(&"write"), "{calls:?}");
        calls.truncate(last + 1);
        calls.dedup();
        let expected = [&["write", "syncfs"][..], renames, &["syncfs"]].concat();
        assert_eq!(calls, expected);
    }
}

/// Builds into `out`, as the packages' paths say, or with the message of a refusal.
struct Bench(tempfile::TempDir);

impl Bench {
    fn run(&self, arguments: &str) -> Output {
        let mut command = tool();
        command.current_dir(self.0.path());
        command.args(arguments.split(' ')).output().unwrap()
    }

    /// The release of the dom0 package that a run wrote, and what it told.
    #[track_caller]
    fn release(&self, arguments: &str) -> (String, String) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", said(&output));
        let paths = String::from_utf8(output.stdout).unwrap();
        let path = paths.lines().next().unwrap();
        assert!(self.0.path().join(path).exists());
        let release = path.strip_prefix("out/openclaw-formula-dom0-0.1.0-");
        let release = release.unwrap().strip_suffix(".noarch.rpm").unwrap();
        let story = String::from_utf8(output.stderr).unwrap();
        let story: Vec<_> = story
            .lines()
            .filter(|line| !line.contains("not signed"))
            .collect();
        (release.to_owned(), story.join("\n"))
    }
}

#[test]
fn a_release_has_one_content() {
    let bench = Bench(tempfile::tempdir().unwrap());
    let is = |release: &str, story: &str| (release.to_owned(), story.to_owned());
    assert_eq!(bench.release("build -o out"), is("1", ""));
    // The same contents, whatever they are written as or when.
    assert_eq!(bench.release("build -o out"), is("1", ""));
    assert_eq!(
        bench.release("package -o out --vm openclaw-vm"),
        is("1", "")
    );
    let manifest = || fs::read(bench.0.path().join("out/MANIFEST.json")).unwrap();
    let before = manifest();
    for command in ["build", "package", "generate"] {
        let output = bench.run(&format!("{command} -o out --provider openai"));
        insta::allow_duplicates! {
            insta::assert_snapshot!(refusal(&output), @r"
            error: out/openclaw-formula-dom0-0.1.0-1.noarch.rpm: there is another package of that version and release
            rule: a version and release is published once: who has it would never be offered the other
            help: write `release = 2` under [package], or give --release 2; --bump takes the next release by itself
            ");
        }
        assert!(manifest() == before);
    }
    // What is asked for as the next release is one.
    assert_eq!(
        bench.release("build -o out --provider openai --release 2"),
        is("2", "")
    );
    // Only the template's package has what an app qube needs from it.
    let app = "build -o out --provider openai --class app --release 2";
    let said = refusal(&bench.run(app));
    assert!(said.contains("release = 3"), "{said}");
    // Another version is another package.
    fs::write(
        bench.0.path().join("openclaw.toml"),
        "[package]\nversion = \"0.2.0\"\n[[server]]\n",
    )
    .unwrap();
    let output = bench.run("build openclaw.toml -o out");
    assert!(output.status.success(), "{}", crate::support::said(&output));

    // What is only to be read has no release to anybody.
    for provider in ["cursor", "openai"] {
        let output = bench.run(&format!("generate -o read --provider {provider}"));
        assert!(output.status.success(), "{}", crate::support::said(&output));
    }
}

#[test]
fn the_next_release_is_taken_where_it_is_needed() {
    let bench = Bench(tempfile::tempdir().unwrap());
    let is = |release: &str, story: &str| (release.to_owned(), story.to_owned());
    let bump =
        |provider: &str| bench.release(&format!("build -o out --bump --provider {provider}"));
    let differ = |next: u32| {
        let before = next - 1;
        format!(
            "release {next}: its contents differ from those of \
             out/openclaw-formula-dom0-0.1.0-{before}.noarch.rpm"
        )
    };
    assert_eq!(bump("cursor"), is("1", ""));
    assert_eq!(bump("cursor"), is("1", ""));
    assert_eq!(bump("openai"), is("2", &differ(2)));
    assert_eq!(bump("openai"), is("2", ""));
    assert_eq!(bump("cursor"), is("3", &differ(3)));
    // A higher one that was asked for stays.
    assert_eq!(
        bench.release("build -o out --bump --release 7 --provider openai"),
        is("7", "")
    );
    assert_eq!(bump("openai"), is("7", ""));
    stdout(tool().arg("verify").arg(bench.0.path().join("out")));
    // Without it, the release is what the configuration says, and may be too low.
    let (release, story) = bench.release("build -o out");
    assert_eq!(release, "1");
    assert_eq!(
        story,
        "warning: this is release 1, and release 7 is there already: a machine that has that one \
         takes this for an older one"
    );
    // There is a last one.
    assert_eq!(
        bench.release("build -o out --release 999999"),
        is("999999", "")
    );
    let said = refusal(&bench.run("build -o out --bump --provider openai"));
    assert!(said.contains("1000000 is not a package release"), "{said}");
}
