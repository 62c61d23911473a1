// SPDX-License-Identifier: MIT OR Apache-2.0

//! Signed packages, with keys of the real gpg, judged by the real rpm.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::gnupg::{Gnupg, Keyring};
use crate::support::package::{self, Package, Value};
use crate::support::{said, stdout, tool};
use tempfile::TempDir;

const DOM0: &str = "openclaw-formula-dom0-0.1.0-1.noarch.rpm";

/// A folder with keys, and where to build.
struct Bench {
    gnupg: Gnupg,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench {
            gnupg: Gnupg::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a key without a passphrase, and writes its files.
    fn key(&self, name: &str, algorithm: &str) -> Key {
        self.gnupg.key(name, algorithm, "sign", "");
        self.files(name)
    }

    fn files(&self, name: &str) -> Key {
        Key {
            public: self.gnupg.public(name, self.path()),
            secret: self.gnupg.secret(name, "", self.path()),
        }
    }

    fn package(&self, output: &str, arguments: &[&str]) -> Command {
        let mut command = tool();
        command
            .current_dir(self.path())
            .env("GNUPGHOME", self.gnupg.home())
            .args(["package", "--output", output])
            .args(arguments);
        command
    }

    /// Builds, and returns dom0's package.
    #[track_caller]
    fn build(&self, output: &str, arguments: &[&str]) -> PathBuf {
        stdout(&mut self.package(output, arguments));
        self.path().join(output).join(DOM0)
    }
}

struct Key {
    public: PathBuf,
    secret: PathBuf,
}

impl Key {
    fn sign(&self) -> [&str; 2] {
        ["--sign", self.secret.to_str().unwrap()]
    }
}

fn verify(key: &Path, package: &Path) -> Output {
    tool()
        .arg("verify")
        .arg("--key")
        .args([key, package])
        .output()
        .unwrap()
}

/// Our opinion and rpm's of a package, which must be the same, and this one.
#[track_caller]
fn judge(what: &str, key: &Path, keyring: &Keyring, package: &Path, good: bool) {
    let theirs = keyring.check(package);
    let ours = verify(key, package);
    let (theirs_said, ours_said) = (said(&theirs), said(&ours));
    assert_eq!(theirs.status.success(), good, "{what}: rpm: {theirs_said}");
    assert_eq!(ours.status.success(), good, "{what}: ours: {ours_said}");
    assert!(
        good || matches!(ours.status.code(), Some(1 | 2)),
        "{what}: {ours_said}"
    );
}

/// How long the signatures' part of a package is, the lead included.
fn signatures_end(package: &[u8]) -> usize {
    let number = |at: usize| u32::from_be_bytes(package[at..at + 4].try_into().unwrap()) as usize;
    96 + (16 + 16 * number(104) + number(108)).next_multiple_of(8)
}

fn payload_start(package: &[u8]) -> usize {
    let header = signatures_end(package);
    let number = |at: usize| u32::from_be_bytes(package[at..at + 4].try_into().unwrap()) as usize;
    header + 16 + 16 * number(header + 8) + number(header + 12)
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn rpm_and_verify_agree_on_every_package() {
    let bench = Bench::new();
    let key = bench.key("packages", "ed25519");
    let other = bench.key("other", "ed25519");
    let keyring = Keyring::new(&key.public);
    let good = bench.build("out", &key.sign());
    let unsigned = fs::read(bench.build("unsigned", &[])).unwrap();
    let wrong = fs::read(bench.build("other", &other.sign())).unwrap();
    let template = bench
        .path()
        .join("out")
        .join(DOM0.replace("dom0", "template"));
    judge("dom0", &key.public, &keyring, &good, true);
    judge("template", &key.public, &keyring, &template, true);

    let good = fs::read(good).unwrap();
    let template = fs::read(template).unwrap();
    let (header, payload) = (signatures_end(&good), payload_start(&good));
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let extended = [good.as_slice(), b"\0"].concat();
    let exchanged = [&template[..signatures_end(&template)], &good[header..]].concat();
    // Where the signature itself is: version 4, over bytes, EdDSA, SHA-256.
    let signature = good
        .windows(4)
        .position(|window| window == [0x04, 0x00, 0x16, 0x08]);
    let cases = [
        ("unsigned", unsigned.clone()),
        ("altered payload", flipped(payload + 1000)),
        ("altered end of the payload", flipped(good.len() - 1)),
        ("altered name in the header", flipped(payload - 500)),
        ("altered index of the header", flipped(header + 40)),
        ("altered magic", flipped(0)),
        ("altered magic of the header", flipped(header)),
        ("altered signature", flipped(signature.unwrap() + 80)),
        (
            "altered time of the signature",
            flipped(signature.unwrap() + 10),
        ),
        ("truncated by a byte", good[..good.len() - 1].to_vec()),
        ("truncated in the payload", good[..payload + 100].to_vec()),
        ("without a payload", good[..payload].to_vec()),
        ("truncated in the header", good[..header + 100].to_vec()),
        ("truncated in the signatures", good[..200].to_vec()),
        ("truncated in the lead", good[..50].to_vec()),
        ("empty", Vec::new()),
        ("extended", extended),
        ("signed by another", wrong),
        ("with another's signatures", exchanged),
        ("no package", b"not an rpm".to_vec()),
    ];
    let path = bench.path().join("case.rpm");
    for (what, bytes) in cases {
        fs::write(&path, bytes).unwrap();
        judge(what, &key.public, &keyring, &path, false);
    }
    // One bit, in many places, more closely where the signatures and the header are. rpm takes some
    // of them, where it reads nothing; dom0's rpmcanon and we take none.
    let positions = (96..payload)
        .step_by(61)
        .chain((payload..good.len()).step_by(good.len() / 40));
    for at in positions {
        fs::write(&path, flipped(at)).unwrap();
        let ours = verify(&key.public, &path);
        let refused = matches!(ours.status.code(), Some(1 | 2));
        assert!(refused, "bit at {at}: {}", said(&ours));
    }
}

/// One package for each key that dom0 takes, whoever holds it.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn every_kind_of_key_that_dom0_takes_signs() {
    let bench = Bench::new();
    bench.key("packages", "ed25519");
    bench.key("rsa", "rsa3072");
    // A key whose signing is done by a subkey.
    bench.gnupg.key("subkey", "rsa2048", "cert", "");
    let add = |arguments: &[&str]| {
        let fingerprint = bench.gnupg.fingerprint("subkey");
        let mut command = bench.gnupg.gpg();
        command.args(["--passphrase", "", "--quick-add-key", &fingerprint]);
        stdout(command.args(arguments));
    };
    add(&["ed25519", "sign", "never"]);
    add(&["cv25519", "encr", "never"]);
    bench.files("subkey");
    // A key without the part that is not needed for signing, as gpg leaves it.
    let without = bench.path().join("subkey-only.key");
    let mut export = bench.gnupg.gpg();
    export.arg("--output").arg(&without);
    stdout(export.args(["--armor", "--export-secret-subkeys", "subkey"]));
    fs::copy(
        bench.path().join("subkey.asc"),
        bench.path().join("subkey-only.asc"),
    )
    .unwrap();

    for name in ["packages", "rsa", "subkey", "subkey-only"] {
        let key = bench.path().join(format!("{name}.asc"));
        let secret = bench.path().join(format!("{name}.key"));
        let keyring = Keyring::new(&key);
        let output = format!("out-{name}");
        let package = bench.build(&output, &["--sign", secret.to_str().unwrap()]);
        judge(name, &key, &keyring, &package, true);
        if name == "subkey-only" {
            continue;
        }
        // gpg signs with the same key.
        let package = bench.build(&format!("gpg-{name}"), &["--sign-gpg", name]);
        judge(name, &key, &keyring, &package, true);
        // A folder with its manifest and its signatures.
        let folder = package.parent().unwrap();
        assert_eq!(said(&verify(&key, folder)).matches("signed by").count(), 1);
        // The same input gives the same bytes.
        let again = bench.build(
            &format!("again-{name}"),
            &["--sign", secret.to_str().unwrap()],
        );
        let first = bench.path().join(&output).join(DOM0);
        assert!(
            fs::read(first).unwrap() == fs::read(again).unwrap(),
            "{name}"
        );
    }
}

/// The time of a signature is that of everything else, but never before its key was made.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_time_of_signing_is_after_the_key_and_not_in_the_future() {
    let bench = Bench::new();
    let old = ["--faked-system-time", "20200102T000000!"];
    bench
        .gnupg
        .key_at("old", "ed25519", "sign", "", &old, "never");
    let key = bench.files("old");
    let made = 1_577_923_200;
    for (epoch, signed) in [(1_500_000_000, made), (1_700_000_000, 1_700_000_000)] {
        let output = format!("out-{epoch}");
        let mut command = bench.package(&output, &key.sign());
        stdout(command.env("SOURCE_DATE_EPOCH", epoch.to_string()));
        let package = bench.path().join(output).join(DOM0);
        judge(
            "old",
            &key.public,
            &Keyring::new(&key.public),
            &package,
            true,
        );
        let query = ["-qp", "--qf", "%{DSAHEADER:pgpsig}"];
        let said = stdout(
            Command::new("rpm")
                .env("TZ", "UTC")
                .args(query)
                .arg(&package),
        );
        let date = Command::new("date")
            .env("LC_ALL", "C")
            .args(["--utc", "+%a %b %_d %T %Y", "--date", &format!("@{signed}")])
            .output()
            .unwrap();
        let date = String::from_utf8(date.stdout).unwrap();
        assert!(said.contains(date.trim()), "{said}: not {date}");
    }
}

/// Secret keys with a passphrase: from a descriptor, and from a terminal, which does not show it.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_locked_key_is_opened_with_its_passphrase() {
    let bench = Bench::new();
    let passphrase = "a long passphrase, with blanks";
    bench.gnupg.key("locked", "ed25519", "sign", passphrase);
    let public = bench.gnupg.public("locked", bench.path());
    let secret = bench.gnupg.secret("locked", passphrase, bench.path());
    let keyring = Keyring::new(&public);
    fs::write(bench.path().join("right"), format!("{passphrase}\n")).unwrap();
    fs::write(bench.path().join("wrong"), "something else\n").unwrap();
    fs::write(bench.path().join("empty"), "").unwrap();

    let shell = |output: &str, rest: &str| {
        let program = env!("CARGO_BIN_EXE_openclaw-formula");
        let line = format!(
            "'{program}' package --output {output} --sign '{}' {rest}",
            secret.display()
        );
        let mut command = Command::new("setsid");
        command.args(["--wait", "sh", "-c", &line]);
        command.current_dir(bench.path());
        command.output().unwrap()
    };
    let out = shell("from-file", "--passphrase-fd 3 3< right");
    assert!(out.status.success(), "{}", said(&out));
    let package = bench.path().join("from-file").join(DOM0);
    judge("from a file", &public, &keyring, &package, true);
    let out = shell("from-pipe", "--passphrase-fd 0 < right");
    assert!(out.status.success(), "{}", said(&out));

    let fingerprint = bench.gnupg.fingerprint("locked");
    let recorded: Vec<_> = [
        "--passphrase-fd 3 3< wrong",
        "--passphrase-fd 3 3< empty",
        "--passphrase-fd 99",
        "",
    ]
    .into_iter()
    .map(|rest| {
        let out = shell("refused", rest);
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        assert!(!bench.path().join("refused").exists());
        said(&out)
            .replace(&fingerprint, "FINGERPRINT")
            .replace(bench.path().to_str().unwrap(), "DIR")
    })
    .collect();
    insta::assert_snapshot!("signing_passphrases", recorded.join("\n"));

    let line = format!(
        "'{}' package --output typed --sign '{}'",
        env!("CARGO_BIN_EXE_openclaw-formula"),
        secret.display()
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(bench.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    let mut screen = terminal.stdout.take().unwrap();
    let mut byte = [0];
    while !shown.contains("): ") && screen.read(&mut byte).unwrap() == 1 {
        shown.push(byte[0].into());
    }
    let mut keyboard = terminal.stdin.take().unwrap();
    writeln!(keyboard, "{passphrase}").unwrap();
    screen.read_to_string(&mut shown).unwrap();
    assert!(terminal.wait().unwrap().success(), "{shown}");
    assert!(!shown.contains("blanks"), "{shown}");
    judge(
        "typed",
        &public,
        &keyring,
        &bench.path().join("typed").join(DOM0),
        true,
    );
}

/// Keys that dom0 would refuse, or that cannot sign, are refused; and nothing is written.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn keys_that_dom0_refuses_are_refused() {
    let bench = Bench::new();
    let gnupg = &bench.gnupg;
    let old = ["--faked-system-time", "20200102T000000!"];
    let future = ["--faked-system-time", "20400102T000000!"];
    let sha1 = ["--cert-digest-algo", "SHA1"];
    gnupg.key("nist", "nistp256", "sign", "");
    gnupg.key("short", "rsa1024", "sign", "");
    gnupg.key("dsa", "dsa2048", "sign", "");
    gnupg.key("certifies", "ed25519", "cert", "");
    gnupg.key("revoked", "ed25519", "sign", "");
    gnupg.key_at("expired", "ed25519", "sign", "", &old, "1y");
    gnupg.key_at("future", "ed25519", "sign", "", &future, "never");
    gnupg.key_at("weak", "rsa2048", "sign", "", &sha1, "never");
    let fingerprint = gnupg.fingerprint("revoked");
    let revocation = gnupg
        .home()
        .join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let text = fs::read_to_string(&revocation).unwrap();
    fs::write(&revocation, text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
    stdout(gnupg.gpg().arg("--import").arg(&revocation));
    let names = [
        "nist",
        "short",
        "dsa",
        "certifies",
        "revoked",
        "expired",
        "future",
        "weak",
    ];
    for name in names {
        bench.files(name);
    }
    version_6(&bench.path().join("version-6.key"));
    let at = |name: &str| bench.path().join(name);
    fs::write(at("text.key"), "no key\n").unwrap();
    fs::write(at("empty.key"), "").unwrap();
    fs::copy(at("nist.asc"), at("public.key")).unwrap();
    let both = [at("short.key"), at("dsa.key")].map(|path| fs::read(path).unwrap());
    fs::write(at("both.key"), both.concat()).unwrap();
    let mut stub = gnupg.gpg();
    stub.arg("--output").arg(at("stub.key"));
    gnupg.key("stub", "ed25519", "sign", "");
    gnupg.key("twin", "ed25519", "sign", "");
    gnupg.key("another twin", "ed25519", "sign", "");
    stdout(stub.args(["--armor", "--export-secret-subkeys", "stub"]));

    let mut recorded = String::new();
    let mut refuse = |arguments: &[&str], status: i32| {
        let out = bench.package("out", arguments).output().unwrap();
        assert_eq!(
            out.status.code(),
            Some(status),
            "{arguments:?} {}",
            said(&out)
        );
        assert!(!at("out").exists(), "{arguments:?}: something was written");
        assert!(out.stdout.is_empty());
        recorded.push_str(&format!("# {}\n{}\n", arguments.join(" "), said(&out)));
    };
    for name in names {
        refuse(&["--sign", &format!("{name}.key")], 2);
        refuse(&["--sign-gpg", name], 2);
    }
    for name in [
        "version-6",
        "text",
        "empty",
        "public",
        "both",
        "stub",
        "missing",
    ] {
        refuse(&["--sign", &format!("{name}.key")], 2);
    }
    refuse(&["--sign-gpg", "twin"], 2);
    refuse(&["--sign-gpg", "nobody"], 2);
    refuse(&["--sign-gpg", ""], 2);
    refuse(&["--sign-gpg", "stub", "--gpg-program", "/no/gpg"], 3);
    let hex = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_lowercase();
    let shown: Vec<_> = recorded
        .split_inclusive(|c| !hex(c))
        .map(|word| {
            let digits = word.trim_end_matches(|c| !hex(c));
            match digits.len() {
                40 | 64 => word.replace(digits, "FINGERPRINT"),
                _ => word.to_owned(),
            }
        })
        .collect();
    insta::assert_snapshot!("signing_refused", shown.concat());
}

/// What gpg's own configuration adds to a signature, and dom0 refuses, is not passed on.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_signature_of_gpg_that_dom0_refuses_is_an_error() {
    let bench = Bench::new();
    let key = bench.key("packages", "ed25519");
    let fails = |settings: &str, reason: &str| {
        fs::write(bench.gnupg.home().join("gpg.conf"), settings).unwrap();
        let out = bench.package("out", &["--sign-gpg", "packages"]).output();
        let out = out.unwrap();
        assert_eq!(out.status.code(), Some(3), "{}", said(&out));
        assert!(!bench.path().join("out").exists());
        let text = said(&out);
        assert!(text.contains(reason), "{text}");
        // The line to take out is named.
        let line = settings.split_whitespace().next().unwrap();
        assert!(
            text.contains(&format!("`{line}`")) && text.contains("help: "),
            "{text}"
        );
    };
    fails("sig-notation a@b.example=c\n", "it has a notation");
    fails("sig-policy-url https://a.example\n", "it has a policy URL");
    fails("default-sig-expire 1y\n", "it expires");
    fails("textmode\n", "it is not over bytes");
    fails("include-key-block\n", "it has its key in it");
    fails(
        "sig-keyserver-url https://a.example\n",
        "it has an address of a key server",
    );
    // Armour is no harm, nor is the name of who signs, which dom0 takes.
    for settings in ["armor\n", "sender <a@b.example>\n"] {
        fs::write(bench.gnupg.home().join("gpg.conf"), settings).unwrap();
        let output = settings.split_whitespace().next().unwrap();
        let package = bench.build(output, &["--sign-gpg", "packages"]);
        let keyring = Keyring::new(&key.public);
        judge(settings, &key.public, &keyring, &package, true);
    }
    // Nothing, or something else, is no signature.
    for (program, status) in [("true", 2), ("false", 3)] {
        let arguments = ["--sign-gpg", "packages", "--gpg-program", program];
        let out = bench.package("out", &arguments).output().unwrap();
        assert_eq!(out.status.code(), Some(status), "{}", said(&out));
    }
}

/// Signed as it should be, but of a form that rpm 4.20 or rpmcanon refuses.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_only_dom0_refuses_is_refused() {
    let bench = Bench::new();
    let key = bench.key("packages", "ed25519");
    let good = fs::read(bench.build("out", &key.sign())).unwrap();
    let path = bench.path().join("case.rpm");
    let sign = |data: &[u8]| package::sign(bench.gnupg.gpg(), "packages", data);
    let judge = |bytes: &[u8], reason: &str| {
        fs::write(&path, bytes).unwrap();
        let ours = verify(&key.public, &path);
        assert_eq!(
            ours.status.success(),
            reason.is_empty(),
            "{reason}: {}",
            said(&ours)
        );
        assert!(said(&ours).contains(reason), "{reason}: {}", said(&ours));
    };
    let changed = |change: &dyn Fn(&mut Package), reason: &str| {
        let mut package = Package::read(&good);
        change(&mut package);
        let signature = sign(&package.header_bytes());
        judge(&package.bytes(Some(&signature)), reason);
    };
    changed(&|_| {}, "");

    // Payload digests.
    let refused = "the payload has no digest that dom0 takes";
    changed(
        &|package| {
            use sha2::{Digest, Sha512};
            let digest: String = Sha512::digest(&package.payload)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            package.put(Value::texts(5092, &[&digest]));
            package.put(Value::numbers(5093, &[10]));
        },
        refused,
    );
    changed(&|package| package.put(Value::numbers(5093, &[2])), refused);
    changed(
        &|package| package.header.retain(|value| value.tag != 5092),
        refused,
    );
    changed(
        &|package| {
            let upper = String::from_utf8(package.value(5092).bytes.to_ascii_uppercase()).unwrap();
            package.put(Value::texts(5092, &[upper.trim_end_matches('\0')]));
        },
        refused,
    );
    for tag in [5092, 5097] {
        changed(
            &|package| package.value(tag).kind = 6,
            "a value of the wrong type",
        );
    }

    // Types, order, and what is between.
    changed(
        &|package| package.put(Value::text(1009, "x")),
        "a value of the wrong type for the tag 1009",
    );
    changed(
        &|package| package.put(Value::numbers(1000, &[1])),
        "a value of the wrong type for the tag 1000",
    );
    changed(
        &|package| package.value(1030).kind = 7,
        "a value of the wrong type for the tag 1030",
    );
    changed(
        &|package| package.value(1011).bytes[0] = 0xff,
        "a text that is not UTF-8",
    );
    changed(
        &|package| package.header.swap(3, 4),
        "no place in its order",
    );
    changed(
        &|package| package.put(Value::numbers(1003, &[u32::MAX])),
        "an epoch that is none",
    );
    changed(
        &|package| package.put(Value::text(0x8000, "x")),
        "no use for the tag 32768",
    );
    changed(
        &|package| package.put(Value::text(300, "x")),
        "no use for the tag 300",
    );
    changed(
        &|package| package.put(Value::numbers(5114, &[6])),
        "RPM version 6",
    );
    changed(
        &|package| package.form.before_trailer = vec![0],
        "something after its last value",
    );
    changed(
        &|package| package.form.after_trailer = vec![0],
        "no region over all of it",
    );
    changed(
        &|package| package.form.reserved[3] = 1,
        "does not begin as one",
    );
    // The same among the signatures, which no signature is over.
    changed(
        &|package| package.signature_form.before_trailer = vec![0],
        "something after its last value",
    );
    changed(
        &|package| package.signature_form.after_trailer = vec![0],
        "no region over all of it",
    );
    changed(
        &|package| package.signature_form.reserved[0] = 1,
        "does not begin as one",
    );
    changed(
        &|package| package.signatures.push(Value::binary(1008, &[0, 0, 1, 0])),
        "reserved bytes that are not zero",
    );
    changed(
        &|package| package.signatures.push(Value::binary(1008, &[0; 9])),
        "",
    );
    changed(
        &|package| package.signatures.push(Value::binary(274, b"x")),
        "no use among signatures for the tag 274",
    );
    changed(
        &|package| package.signatures.push(Value::binary(1000, &[0; 4])),
        "a value of the wrong type for the tag 1000",
    );
    changed(
        &|package| package.signatures.push(Value::texts(278, &["AAAA"])),
        "another signature, for RPM version 6",
    );
    let plain = "a text that is not plain for the tag 278";
    let bytes = Value::texts(278, &["\u{e4}"]);
    changed(&|package| package.signatures.push(bytes.clone()), plain);
    let mut bytes = bytes.clone();
    bytes.bytes[0] = 0xff;
    changed(&|package| package.signatures.push(bytes.clone()), plain);
    // The lead.
    for (at, reason) in [
        (4, "unknown form"),
        (7, "unknown form"),
        (10, "another name"),
        (75, "no end"),
        (77, "unknown form"),
        (79, "unknown form"),
        (80, "reserved bytes"),
        (95, "reserved bytes"),
    ] {
        let change = |package: &mut Package| match at {
            75 => package.lead[10..76].fill(b'a'),
            _ => package.lead[at] ^= 2,
        };
        changed(&change, reason);
    }
    changed(&|package| package.lead[70] = b'a', "reserved bytes");

    // Signatures.
    let package = Package::read(&good);
    let signature = sign(&package.header_bytes());
    // gpg writes the old form, with a length of one byte.
    let (start, body) = signature.split_at(2);
    assert_eq!(start, [0x88, body.len() as u8]);
    let packed = |body: &[u8]| [&[0x88, body.len() as u8], body].concat();
    let hashed = 6 + usize::from(body[5]);
    let (said, rest) = body.split_at(hashed);
    let (unhashed, numbers) = rest.split_at(12);
    assert_eq!(unhashed[..4], [0, 10, 9, 16]);
    let other = |unhashed: &[u8]| packed(&[said, unhashed, numbers].concat());
    let with = |signature: &[u8], reason: &str| judge(&package.bytes(Some(signature)), reason);
    with(&signature, "");
    with(&[&[0xc2, body.len() as u8], body].concat(), "");
    with(&[&[0x8b], body].concat(), "it is not an OpenPGP signature");
    with(
        &[
            &[0xc2, 224 + 6],
            &body[..64],
            &[body.len() as u8 - 64],
            &body[64..],
        ]
        .concat(),
        "it is not an",
    );
    with(
        &[&signature, &[0xca, 3][..], b"PGP"].concat(),
        "there is something after it",
    );
    with(
        &[signature.clone(), signature.clone()].concat(),
        "there is something after it",
    );
    with(
        &packed(&[body, &[0]].concat()),
        "there is something after its numbers",
    );
    let more = "more than its key's id";
    with(&other(&[0, 0]), more);
    with(
        &other(&[&[0, 20], &unhashed[2..], &unhashed[2..]].concat()),
        more,
    );
    with(
        &other(&[&[0, 14], &unhashed[2..], &[3, 27, 1, 2]].concat()),
        more,
    );
    with(&other(&[&[0, 10, 9, 0x90], &unhashed[4..]].concat()), more);
    with(
        &other(&[0, 10, 9, 16, 1, 2, 3, 4, 5, 6, 7, 8]),
        "it names two keys",
    );
    let mut long = numbers.to_vec();
    let bits = u16::from_be_bytes([long[2], long[3]]).next_multiple_of(8) + 8;
    long.splice(2..4, [(bits >> 8) as u8, bits as u8, 0]);
    with(
        &packed(&[said, unhashed, &long].concat()),
        "not in its shortest form",
    );
    // One signature of each kind.
    let mut both = package.clone();
    both.signatures.push(Value::binary(268, &signature));
    judge(
        &both.bytes(Some(&signature)),
        "the header has two signatures",
    );
}

/// `verify --key` says "signed" of a folder only if every package in it is, whatever it is called.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn whatever_is_a_package_is_checked() {
    let bench = Bench::new();
    let key = bench.key("packages", "ed25519");
    let mut build = tool();
    build
        .current_dir(bench.path())
        .args(["build", "--output", "out"]);
    stdout(build.args(key.sign()));
    let unsigned = fs::read(bench.build("unsigned", &[])).unwrap();
    let out = bench.path().join("out");
    let manifest = out.join("MANIFEST.json");
    let beside = fs::read_to_string(&manifest).unwrap();
    assert!(verify(&key.public, &out).status.success());

    let list = |pointer: &str, name: &str| {
        let mut listed: serde_json::Value = serde_json::from_str(&beside).unwrap();
        let entry = serde_json::json!({
            "file": name,
            "size": unsigned.len(),
            "sha256": openclaw_formula::tree::sha256(&unsigned),
        });
        listed
            .pointer_mut(pointer)
            .unwrap()
            .as_array_mut()
            .unwrap()
            .push(entry);
        fs::write(&manifest, listed.to_string()).unwrap();
    };
    // As a spec file, as a package of another name, and in no list at all.
    for (pointer, name) in [
        ("/specs", "rpmspec/more.rpm"),
        ("/specs", "rpmspec/more.spec"),
        ("/packages", "more.deb"),
        ("/packages", "more"),
        ("", "more.rpm"),
        ("", "dom0/etc/more"),
        ("", "template/more.rpm"),
    ] {
        if !pointer.is_empty() {
            list(pointer, name);
        }
        let path = out.join(name);
        fs::write(&path, &unsigned).unwrap();
        let output = verify(&key.public, &out);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", said(&output));
        let expected = format!("{name}: the header is not signed");
        assert!(
            said(&output).contains(&expected),
            "{name}: {}",
            said(&output)
        );
        let unlisted = said(&output).contains(&format!("{name}: not in the manifest"));
        assert_eq!(unlisted, pointer.is_empty(), "{name}: {}", said(&output));
        fs::remove_file(path).unwrap();
        fs::write(&manifest, &beside).unwrap();
    }
    // One that is called a package, and is none.
    fs::write(out.join("text.rpm"), "text").unwrap();
    let output = verify(&key.public, &out);
    assert!(
        said(&output).contains("text.rpm: it is not an RPM package"),
        "{}",
        said(&output)
    );
}

/// A key of version 6, which gpg cannot make.
fn version_6(path: &Path) {
    use pgp::composed::{ArmorOptions, KeyType, SecretKeyParamsBuilder};
    use pgp::types::KeyVersion;

    let key = SecretKeyParamsBuilder::default()
        .version(KeyVersion::V6)
        .key_type(KeyType::Ed25519)
        .can_sign(true)
        .can_certify(true)
        .primary_user_id("version 6".to_owned())
        .build()
        .unwrap()
        .generate(rand::thread_rng())
        .unwrap();
    fs::write(
        path,
        key.to_armored_string(ArmorOptions::default()).unwrap(),
    )
    .unwrap();
}
