//! `--state`: rows that stay between runs.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
};

use omnichannel_link_emulator::{Changes, Emulator, Organisation, Reference, StateFile, table};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, CONVERSATION, Server, id, linked, page, pages};

struct Program {
    child: Child,
    stdin: ChildStdin,
    url: String,
    credential: String,
}

/// Starts the program with the usual seed and this state.
fn start(state: &str) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_omnichannel-link-emulator"))
        .args(["--stdin-seed", "--state", state])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", Value::from(pages())).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap_or_default();
    let text = |name: &str| started[name].as_str().unwrap_or_default().to_owned();
    Program { url: text("url"), credential: text("credential"), child, stdin }
}

impl Program {
    async fn send(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            client.request(method, format!("{}/api/data/v9.2/{path}", self.url)).bearer_auth(&self.credential);
        let request = request.header("content-type", "application/json");
        let text = request
            .body(body.map(|body| body.to_string()).unwrap_or_default())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn stop(mut self) {
        drop(self.stdin);
        assert!(self.child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn rows_stay_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let state = state.to_str().unwrap();
    let first = start(state);
    let account = format!("accounts({ACCOUNT})");
    first.send(reqwest::Method::PATCH, &account, Some(json!({ "name": "Kept" }))).await;
    first.send(reqwest::Method::DELETE, &format!("contacts({CONTACT})"), None).await;
    let before = first.send(reqwest::Method::GET, &account, None).await;

    let mut second = start(state);
    assert_eq!(second.child.wait().unwrap().code(), Some(2), "one emulator at a time");
    let mut problem = String::new();
    std::io::Read::read_to_string(second.child.stderr.as_mut().unwrap(), &mut problem).unwrap();
    assert!(problem.contains("another emulator uses it"), "{problem}");
    first.stop();

    let again = start(state);
    let after = again.send(reqwest::Method::GET, &account, None).await;
    assert_eq!((&after["name"], &after["@odata.etag"]), (&before["name"], &before["@odata.etag"]));
    let gone = again.send(reqwest::Method::GET, &format!("contacts({CONTACT})"), None).await;
    assert_eq!(gone["error"]["code"], "0x80040217", "the seed does not bring it back");
    again.stop();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["state.json"]);
}

#[tokio::test]
async fn links_pairs_and_versions_are_part_of_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let mut organisation = Organisation::new();
    for page in pages() {
        organisation.load_page("page", &page).unwrap();
    }
    let mut state = StateFile::open(&path, &mut organisation).unwrap();
    let server = Server::from(Emulator::start(organisation, 0).await.unwrap());
    assert_eq!(server.post("leads", &[], json!({ "leadid": CONTACT, "subject": "L" })).await.status, 204);
    let reference = format!("accounts({ACCOUNT})/accountleads_association/$ref");
    let lead = json!({ "@odata.id": format!("leads({CONTACT})") });
    assert_eq!(server.post(&reference, &[], lead).await.status, 204);
    let before = server.conversation();
    state.save(&server.emulator).unwrap();
    let saved = std::fs::metadata(&path).unwrap().modified().unwrap();
    state.save(&server.emulator).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), saved, "nothing changed");
    drop(state);

    let mut restored = Organisation::new();
    drop(StateFile::open(&path, &mut restored).unwrap());
    let restored = Server::from(Emulator::start(restored, 0).await.unwrap());
    assert_eq!(restored.conversation(), before);
    assert_eq!(restored.conversation().1, linked("contact", CONTACT));
    assert_eq!(restored.get(&reference).await.json()["value"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_state_is_rejected_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let mut known = Organisation::new();
    known.load_page("p", &page("cr1_plans", json!([{ "cr1_planid": ACCOUNT, "cr1_name": "x" }]))).unwrap();
    let with_plan = known.to_state().unwrap();
    for (contents, problem) in [
        (b"{}".to_vec(), "not a state"),
        (b"[".to_vec(), "not a state"),
        (with_plan, "rows of 'cr1_plan', a table that no seed declares"),
    ] {
        std::fs::write(&path, &contents).unwrap();
        let mut organisation = Organisation::new();
        organisation.write(
            table::CONVERSATION,
            id(CONVERSATION),
            Changes::new().link("msdyn_customer", Reference::new(table::ACCOUNT, id(ACCOUNT))),
        );
        let error = StateFile::open(&path, &mut organisation).unwrap_err();
        assert!(error.contains("state.json: ") && error.contains(problem), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), contents);
        assert!(organisation.row(table::CONVERSATION, id(CONVERSATION)).is_some(), "nothing was replaced");
    }
}
