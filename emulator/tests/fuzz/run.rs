//! One run: sends requests over several connections, and collects what is wrong.

use std::time::Duration;

use serde_json::Value;

use crate::{
    PANICS, check, faults,
    grammar::{Expected, Grammar, Made},
    http::{Connection, Lost, Message, Response},
    mutate,
    random::Random,
    world::{Snapshot, World},
};

/// Far longer than any response takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// After this many different problems the rest is not tried.
const MOST_FAILURES: usize = 12;

const CONNECTIONS: usize = 4;

pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) random: Random,
    pub(crate) failures: Vec<String>,
    connections: Vec<Connection>,
    number: u64,
    initial: Snapshot,
    seen: Vec<String>,
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        let world = World::start();
        let connections = (0..CONNECTIONS).map(|_| Connection::open(world.address)).collect();
        let initial = world.snapshot();
        Self {
            random: Random::new(seed),
            connections,
            number: 0,
            initial,
            failures: Vec::new(),
            seen: Vec::new(),
            world,
        }
    }

    /// Sends the next request, or the next few.
    pub(crate) fn step(&mut self, number: u64) {
        self.number = number;
        if self.failures.len() == MOST_FAILURES {
            return;
        }
        match self.random.below(100) {
            0 => faults::episode(self),
            1..=3 => self.burst(),
            4..=12 => self.raw(),
            13..=45 => {
                let Made { mut message, .. } = self.made();
                mutate::contents(&mut self.random, &mut message);
                self.strict(message, None);
            }
            _ => {
                let Made { message, expected } = self.made();
                self.strict(message, expected);
            }
        }
    }

    /// Restores the seed, and checks it.
    pub(crate) fn reset(&mut self) {
        self.strict(Message::new("POST", "/_emulator/reset"), None);
        if self.world.snapshot() != self.initial {
            self.fail("a reset did not restore the rows", b"");
        }
    }

    pub(crate) fn made(&mut self) -> Made {
        Grammar { random: &mut self.random, world: &self.world }.request()
    }

    fn bytes(&self, message: &Message) -> Vec<u8> {
        message.bytes(&self.world.host, self.world.emulator.credential())
    }

    /// Sends a request with a right framing, and checks the response and its effect.
    fn strict(&mut self, mut message: Message, expected: Option<Expected>) {
        mutate::make_sendable(&mut message);
        let bytes = self.bytes(&message);
        let is_read = matches!(message.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        // Reads are many, and few of them could ever write.
        let before = (!is_read || self.random.one_in(8)).then(|| self.world.snapshot());
        let Some(response) = self.exchange(&message, &bytes) else { return };
        self.judge(&message, &bytes, &response);
        let keeps = is_read || response.status >= 400 && check::is_atomic(&message);
        if keeps && before.is_some_and(|before| self.world.snapshot() != before) {
            self.fail(&format!("status {}, and rows changed", response.status), &bytes);
        }
        if let Some(expected) = expected.filter(|_| response.status < 300)
            && self.random.one_in(2)
        {
            self.look(&expected, &bytes);
        }
    }

    fn judge(&mut self, message: &Message, bytes: &[u8], response: &Response) {
        if let Err(problem) = check::response(message, response) {
            let body = String::from_utf8_lossy(&response.body).chars().take(300).collect::<String>();
            self.fail(&problem, &[bytes, format!("\n-> {} {body}", response.status).as_bytes()].concat());
        }
    }

    /// A written row must show what was written.
    fn look(&mut self, expected: &Expected, written: &[u8]) {
        let message = Message::new("GET", expected.path.as_str());
        let bytes = self.bytes(&message);
        let Some(response) = self.exchange(&message, &bytes) else { return };
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        for (name, value) in &expected.values {
            if response.status != 200 || body.get(name) != Some(value) {
                let found = body.get(name).unwrap_or(&Value::Null);
                let problem = format!("a write of {value} to '{name}' shows {found}, status {}", response.status);
                self.fail(&problem, written);
            }
        }
    }

    /// The response to a request that must get one.
    fn exchange(&mut self, message: &Message, bytes: &[u8]) -> Option<Response> {
        let index = self.random.below(CONNECTIONS);
        self.connections[index].send(bytes);
        let received = self.connections[index].receive(&message.method, PATIENCE);
        // The API for tests leaves a body unread that it does not want, and then the connection is closed.
        let leaves_body = message.target.starts_with("/_emulator") && message.body.len() > 1000;
        if leaves_body || received.as_ref().map_or(true, |response| response.is_last) {
            self.connections[index] = Connection::open(self.world.address);
        }
        self.find_panics(bytes);
        match received {
            Ok(response) => Some(response),
            Err(lost) => {
                self.fail(&format!("no response: {lost:?}"), bytes);
                None
            }
        }
    }

    /// Sends requests on all connections, two on each, before any response is read.
    fn burst(&mut self) {
        let mut sent = Vec::new();
        for index in 0..CONNECTIONS {
            for _ in 0..2 {
                let Made { mut message, .. } = self.made();
                mutate::make_sendable(&mut message);
                let bytes = self.bytes(&message);
                self.connections[index].send(&bytes);
                sent.push((index, message, bytes));
            }
        }
        for (index, message, bytes) in sent {
            match self.connections[index].receive(&message.method, PATIENCE) {
                Ok(response) => self.judge(&message, &bytes, &response),
                Err(lost) => {
                    self.fail(&format!("no response: {lost:?}"), &bytes);
                    self.connections[index] = Connection::open(self.world.address);
                }
            }
        }
        self.find_panics(b"a burst");
    }

    /// Sends bytes that need not be HTTP, on a connection of their own. Responses must be complete, and none must be a failure.
    fn raw(&mut self) {
        let Made { mut message, .. } = self.made();
        mutate::make_sendable(&mut message);
        let bytes = self.bytes(&message);
        let bytes = mutate::raw(&mut self.random, &bytes);
        let mut connection = Connection::open(self.world.address);
        connection.send(&bytes);
        connection.end();
        loop {
            // A request that became a HEAD has a response that looks cut.
            match connection.receive("GET", PATIENCE) {
                Ok(response) if response.status < 500 || response.status == 501 => {}
                Ok(response) => self.fail(&format!("status {} that nothing asked for", response.status), &bytes),
                Err(Lost::Closed(rest)) if rest == 0 || message.method == "HEAD" => break,
                Err(lost) => {
                    self.fail(&format!("an incomplete response: {lost:?}"), &bytes);
                    break;
                }
            }
        }
        self.find_panics(&bytes);
    }

    pub(crate) fn find_panics(&mut self, bytes: &[u8]) {
        let panics = std::mem::take(&mut *PANICS.lock().unwrap());
        for panic in panics {
            self.fail(&panic, bytes);
        }
    }

    pub(crate) fn fail(&mut self, problem: &str, request: &[u8]) {
        // Numbers and names differ between two cases of one problem.
        let kind: String = problem.chars().filter(char::is_ascii_alphabetic).take(60).collect();
        if self.seen.contains(&kind) {
            return;
        }
        self.seen.push(kind);
        let shown = String::from_utf8_lossy(&request[..request.len().min(4000)]).into_owned();
        self.failures.push(format!("request {}: {problem}\n{shown}", self.number));
    }
}
