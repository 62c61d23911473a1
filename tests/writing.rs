// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where directories and repositories are written, and what happens there when it cannot be done, is
//! done twice at once, or ends half-way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

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
