//! Batches, with change sets.

use std::fmt::Write as _;

use super::Grammar;
use crate::http::Message;

impl Grammar<'_> {
    pub(super) fn batch(&mut self) -> Message {
        let line = if self.random.one_in(3) { "\n" } else { "\r\n" };
        let mut body = String::new();
        for _ in 0..self.random.below(4) {
            let _ = write!(body, "--batch_1{line}");
            if self.random.one_in(2) {
                let _ = write!(body, "Content-Type: multipart/mixed;boundary=changeset_1{line}{line}");
                for id in 1..=self.random.below(4) {
                    let part = self.part(true, id, line);
                    let _ = write!(body, "--changeset_1{line}{part}");
                }
                let _ = write!(body, "--changeset_1--{line}{line}");
            } else {
                body += &self.part(false, 1, line);
            }
        }
        let _ = write!(body, "--batch_1--{line}");
        let url = format!("{}/$batch", self.root());
        let media = self.random.word(&[
            "multipart/mixed;boundary=batch_1",
            "multipart/mixed; boundary=\"batch_1\"",
            "multipart/mixed",
        ]);
        let mut message = Message::new("POST", url).header("Content-Type", media);
        if self.random.one_in(4) {
            message = message.header("Prefer", "odata.continue-on-error");
        }
        message.body = body.into_bytes();
        message
    }

    fn part(&mut self, writes: bool, id: usize, line: &str) -> String {
        let inner = match (writes, self.random.below(5)) {
            (true, 0) => self.delete(),
            (true, 1) => self.reference(),
            (true, 2) => self.update().message,
            (true, _) | (false, 1) => self.create().message,
            (false, 0) => self.fetch_xml(),
            (false, 2) => self.operation(),
            (false, 3) => self.get_row(),
            (false, _) => self.list(),
        };
        let target = match self.random.below(10) {
            0 => format!("http://{}{}", self.world.host, inner.target),
            1 => inner.target.trim_start_matches("/api/data/v9.2/").to_owned(),
            2 => format!("${}", self.random.below(4)),
            3 => format!("$1/{}", self.random.word(&["contact_customer_accounts", "name", "$ref", "x"])),
            _ => inner.target.clone(),
        };
        let mut part = format!("Content-Type: application/http{line}Content-Transfer-Encoding: binary{line}");
        if writes || self.random.one_in(3) {
            let _ = write!(part, "Content-ID: {id}{line}");
        }
        let _ = write!(part, "{line}{} {target} HTTP/1.1{line}", inner.method);
        for (name, value) in &inner.headers {
            let _ = write!(part, "{name}: {value}{line}");
        }
        let _ = write!(part, "{line}{}{line}", String::from_utf8_lossy(&inner.body));
        part
    }
}
