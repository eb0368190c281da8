use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use crate::client::{page, pages};

fn program(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_omnichannel-link-emulator"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(args: &[&str], stdin: &str) -> Output {
    let mut child = program(args);
    // A child that has rejected its flags has already closed the pipe.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

#[test]
fn it_prints_one_line_and_ends_with_stdin() {
    let mut child = program(&["--stdin-seed"]);
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", Value::from(pages())).unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    assert!(started["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{line}");
    assert!(!started["credential"].as_str().unwrap().is_empty());
    assert_eq!(started["caCertificate"], Value::Null);

    drop(stdin);
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "nothing but that line");
}

#[test]
fn invalid_flags_and_seeds_exit_with_2_and_one_clear_line() {
    let empty = "[]\n";
    let invalid_page = format!("[{}]\n", page("accounts", serde_json::json!([{}])));
    for (args, stdin, message) in [
        (vec!["--prot", "1"], empty, "unknown argument '--prot'; see --help"),
        (vec!["--port"], empty, "--port needs a value; see --help"),
        (vec!["--port", "70000"], empty, "--port 70000 is not a port number"),
        (vec!["--tls-host", "a b"], empty, "'a b' is not a host name"),
        (vec!["--seed", "no-such-folder"], empty, "no-such-folder: "),
        (vec!["--stdin-seed"], "", "the first line of stdin is not an array"),
        (vec!["--stdin-seed"], "{}\n", "the first line of stdin is not an array"),
        (vec!["--stdin-seed"], invalid_page.as_str(), "seed page 1: row 1: no 'accountid'"),
    ] {
        let output = run(&args, stdin);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.starts_with(&format!("omnichannel-link-emulator: {message}")), "{args:?}: {stderr}");
        assert_eq!((stderr.lines().count(), output.stdout.len()), (1, 0), "{args:?}: {stderr}");
    }
}

#[test]
fn a_port_in_use_exits_with_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--stdin-seed", "--port", &port], "[]\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on 127.0.0.1:{port}: ")), "{stderr}");
}

#[test]
fn help_names_every_flag() {
    let output = run(&["--help"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for flag in ["--port", "--seed", "--stdin-seed", "--tls", "--tls-host", "--help"] {
        assert!(text.contains(&format!("\n  {flag} ")), "{flag} is not in: {text}");
    }
}
