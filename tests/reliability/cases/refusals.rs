//! Requests that the server rejects.

use serde_json::{Value, json};

use super::{Case, Group, at};

pub(super) fn group() -> Group {
    let missing = |privilege: &str| json!({ "missingPrivileges": [privilege] });
    let error = |status: u16, code: &str| json!({ "kind": "status", "status": status, "code": code, "message": "No." });
    let page = json!({ "kind": "status", "status": 404, "body": "html" });
    let elsewhere = json!({ "kind": "redirect", "location": "/elsewhere" });
    let gone = |method: &str| at(method, &json!({ "kind": "writer", "when": "before", "delete": true }));
    let both = |name: &str, fault: &Value| {
        [Case::new(name, "the read", at("GET", fault)), Case::new(name, "the write", at("PATCH", fault))]
    };
    let mut cases = vec![
        Case::under("403: privilege to read missing", "every request", missing("prvReadActivity")),
        Case::under("403: privilege to write missing", "every write", missing("prvWriteActivity")),
        Case::under(
            "403: privilege to link to accounts missing",
            "every write that links",
            missing("prvAppendToAccount"),
        ),
        Case {
            record_exists: false,
            ..Case::new("404: the record does not exist", "every write that links", json!([]))
        },
        Case {
            record_exists: false,
            ..Case::new(
                "Connection lost, then 404: the record does not exist",
                "the write",
                at("PATCH", &json!({ "kind": "drop" })),
            )
        },
        Case::new("404: the conversation does not exist", "every request", gone("GET")),
        Case::new("404: the conversation was deleted after the read", "the write", gone("PATCH")),
        Case::new("404 of a row, although both exist", "the write", at("PATCH", &error(404, "0x80040217"))),
    ];
    cases.extend(both("404 of neither: a web page", &page));
    cases.extend(both("404 of neither: no such table", &error(404, "0x8006088a")));
    cases.extend(both("Redirect", &elsewhere));
    cases.extend([
        Case::new("400: a plug-in rejects the change", "the write", at("PATCH", &error(400, "0x80040265"))),
        Case::new("400: the request is not understood", "the write", at("PATCH", &error(400, "0x80048d19"))),
        Case::new("413", "the write", at("PATCH", &error(413, "0x8004418a"))),
        Case::under(
            "400: the table checks no versions",
            "every write",
            json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }),
        ),
        Case::new("412: the table checks no versions", "the write", at("PATCH", &error(412, "0x80060883"))),
    ]);
    Group {
        title: "Rejections",
        about: "Requests that the server rejects. A request that would be rejected again is not repeated.",
        cases,
    }
}
