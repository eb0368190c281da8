//! The documented columns of a conversation: types, lengths, choices and times.

use serde_json::{Value, json};

use crate::client::{Server, conversation_path};

const ALL: (&str, &str) = ("prefer", "odata.include-annotations=\"*\"");

async fn write(server: &Server, column: &str, value: Value) -> crate::client::TestResponse {
    server.patch(&conversation_path(), json!({ column: value })).await
}

/// The value of a column, and its formatted value.
async fn read(server: &Server, column: &str) -> (Value, Value) {
    let row = server.get_with(&format!("{}?$select={column}", conversation_path()), &[ALL]).await.json();
    let formatted = row.get(format!("{column}@OData.Community.Display.V1.FormattedValue")).cloned();
    (row[column].clone(), formatted.unwrap_or_default())
}

#[tokio::test]
async fn its_columns_have_their_types_and_lengths() {
    let server = Server::start().await;
    for (column, length) in
        [("subject", 200), ("msdyn_title", 4000), ("msdyn_ocliveworkitemid", 100), ("msdyn_statereason", 4000)]
    {
        assert_eq!(write(&server, column, "x".repeat(length).into()).await.status, 204, "{column}");
        let text = format!("The length of the '{column}' attribute of the 'msdyn_ocliveworkitem' entity exceeded");
        write(&server, column, "x".repeat(length + 1).into()).await.expect_error(400, "0x80044331", &text);
        write(&server, column, json!(7)).await.expect_error(400, "0x80048d19", "expected type 'Edm.String'");
    }
    assert_eq!(write(&server, "msdyn_isoutbound", true.into()).await.status, 204);
    assert_eq!(read(&server, "msdyn_isoutbound").await, (json!(true), json!("Yes")));
    write(&server, "msdyn_isoutbound", json!(1)).await.expect_error(400, "0x80048d19", "'Edm.Boolean'");
    for column in ["msdyn_transfercount", "msdyn_escalationcount"] {
        assert_eq!(write(&server, column, json!(1234)).await.status, 204);
        assert_eq!(read(&server, column).await, (json!(1234), json!("1,234")), "{column}");
        write(&server, column, json!(1.5)).await.expect_error(400, "0x80048d19", "'Edm.Int32'");
        write(&server, column, json!(-1)).await.expect_error(400, "0x80044330", "outside the valid range");
    }
    let (id, _) = read(&server, "activityid").await;
    assert_eq!(id.as_str().unwrap().len(), 36);
    let by_other = format!("msdyn_ocliveworkitems(msdyn_ocliveworkitemid='{}')", id.as_str().unwrap());
    server.get(&by_other).await.expect_error(400, "0x80060888", "not a defined key");
}

/// Reasons for a change of status, from 192350001 on.
const REASONS: [&str; 17] = [
    "AwaitingAgentAssignment",
    "AwaitingAgentAcceptance",
    "InConversation",
    "AwaitingCustomerResponse",
    "AgentMovedToWrapUp",
    "CustomerDisconnectedOrLeftActiveConversation",
    // As in the product.
    "CutomerMovedToWrapUp",
    "ConversationEndedByAgent",
    "AutoClosedFromWaitingState",
    "AutoClosedBySystem",
    "ClosedDueToOverflow",
    "CustomerDisconnectedOrLeftOpenConversation",
    "ConversationEndedByBot",
    "ClosedDueToFailure",
    "ForceClosedBySupervisor",
    "ClosedInDataverseDirectlyByAdmin",
    "AssignedBySupervisor",
];

#[tokio::test]
async fn its_choices_accept_only_known_numbers() {
    let server = Server::start().await;
    for (code, reason) in (192_350_001..).zip(REASONS) {
        assert_eq!(write(&server, "msdyn_statuschangereason", json!(code)).await.status, 204, "{reason}");
        assert_eq!(read(&server, "msdyn_statuschangereason").await, (json!(code), json!(reason)));
    }
    for (column, codes, unknown) in [
        ("msdyn_statuschangereason", vec![], 192_350_018),
        ("msdyn_conversationactivitystate", vec![(0, "Default"), (1, "Talk"), (2, "Hold"), (3, "Ended")], 4),
        ("msdyn_workstreamworkdistributionmode", vec![(192_350_000, "Push"), (192_350_001, "Pick")], 0),
        ("msdyn_customersentimentlabel", vec![(0, "N/A"), (7, "Very negative"), (13, "Very positive")], 6),
    ] {
        for (code, label) in codes {
            assert_eq!(write(&server, column, json!(code)).await.status, 204, "{column} {code}");
            assert_eq!(read(&server, column).await, (json!(code), json!(label)));
        }
        let text = format!("The value '{unknown}' of '{column}' on record of type 'msdyn_ocliveworkitem' is outside");
        write(&server, column, json!(unknown)).await.expect_error(400, "0x8004431a", &text);
    }
    let channels = json!("192360000,192350000");
    assert_eq!(write(&server, "msdyn_channel", channels.clone()).await.status, 204);
    let (stored, labels) = read(&server, "msdyn_channel").await;
    assert_eq!((stored, labels), (channels, json!("Live chat; Entity Records")));
    write(&server, "msdyn_channel", json!("192360000,5")).await.expect_error(400, "0x8004431a", "msdyn_channel");
    write(&server, "msdyn_channel", json!(192_360_000)).await.expect_error(400, "0x80048d19", "'Edm.String'");
}

#[tokio::test]
async fn its_times_are_stored_in_utc() {
    let server = Server::start().await;
    for column in [
        "msdyn_createdon",
        "msdyn_modifiedon",
        "msdyn_startedon",
        "msdyn_initiatedon",
        "msdyn_activeagentassignedon",
        "msdyn_statusupdatedon",
        "msdyn_wrapupinitiatedon",
        "msdyn_closedon",
    ] {
        let written = write(&server, column, json!("2026-03-01T00:30:15+01:00")).await;
        assert_eq!(written.status, 204, "{column}");
        assert_eq!(read(&server, column).await, (json!("2026-02-28T23:30:15Z"), json!("2/28/2026 11:30 PM")));
        write(&server, column, json!("yesterday")).await.expect_error(400, "0x80048d19", "'Edm.DateTimeOffset'");
    }
    for column in ["createdon", "modifiedon"] {
        let written = write(&server, column, json!("2020-01-01T00:00:00Z")).await;
        assert_eq!(written.status, 204, "the server writes it, so the value is ignored");
        assert_ne!(read(&server, column).await.0, "2020-01-01T00:00:00Z", "{column}");
    }
}
