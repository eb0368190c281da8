//! The conversation table.

use super::{ANY, Kind, Lookup, Table, column, lookup, state, status, to};

/// `msdyn_ocliveworkitem` (a conversation), the entity set `msdyn_ocliveworkitems`; its key is `activityid`.
pub static CONVERSATION: Table = Table {
    logical_name: "msdyn_ocliveworkitem",
    set: "msdyn_ocliveworkitems",
    key: "activityid",
    primary_name: "subject",
    columns: &[
        column("subject", Kind::Text(200)),
        column("msdyn_ocliveworkitemid", Kind::Text(100)),
        column("msdyn_title", Kind::Text(4000)),
        column("msdyn_channel", Kind::Text(4000)),
        column("statecode", Kind::Integer),
        column("statuscode", Kind::Integer),
        column("msdyn_statuschangereason", Kind::Integer),
        column("msdyn_statereason", Kind::Integer),
        column("msdyn_conversationactivitystate", Kind::Integer),
        column("msdyn_workstreamworkdistributionmode", Kind::Integer),
        column("msdyn_isoutbound", Kind::Boolean),
        column("msdyn_transfercount", Kind::Integer),
        column("msdyn_escalationcount", Kind::Integer),
        column("msdyn_customersentimentlabel", Kind::Integer),
        column("createdon", Kind::SystemTime),
        column("modifiedon", Kind::SystemTime),
        column("msdyn_createdon", Kind::Timestamp),
        column("msdyn_modifiedon", Kind::Timestamp),
        column("msdyn_startedon", Kind::Timestamp),
        column("msdyn_initiatedon", Kind::Timestamp),
        column("msdyn_activeagentassignedon", Kind::Timestamp),
        column("msdyn_statusupdatedon", Kind::Timestamp),
        column("msdyn_wrapupinitiatedon", Kind::Timestamp),
        column("msdyn_closedon", Kind::Timestamp),
        column("versionnumber", Kind::Version),
    ],
    lookups: &[
        lookup(
            "msdyn_customer",
            "_msdyn_customer_value",
            &[
                to("msdyn_customer_msdyn_ocliveworkitem_account", "account"),
                to("msdyn_customer_msdyn_ocliveworkitem_contact", "contact"),
            ],
        ),
        lookup("msdyn_issueid", "_msdyn_issueid_value", &[to("msdyn_IssueId_msdyn_ocliveworkitem", "incident")]),
        Lookup {
            name: "regardingobjectid",
            read_name: "_regardingobjectid_value",
            required: false,
            open: true,
            navigations: &[
                to("regardingobjectid_account_msdyn_ocliveworkitem", "account"),
                to("regardingobjectid_contact_msdyn_ocliveworkitem", "contact"),
                to("regardingobjectid_incident_msdyn_ocliveworkitem", "incident"),
                to("regardingobjectid_lead_msdyn_ocliveworkitem", "lead"),
            ],
        },
        lookup(
            "msdyn_activeagentid",
            "_msdyn_activeagentid_value",
            &[to("msdyn_activeagentid_msdyn_ocliveworkitem", "systemuser")],
        ),
        lookup(
            "msdyn_lastsessionid",
            "_msdyn_lastsessionid_value",
            &[to("msdyn_lastsessionid_msdyn_ocliveworkitem", "msdyn_ocsession")],
        ),
        lookup(
            "msdyn_liveworkstreamid",
            "_msdyn_liveworkstreamid_value",
            &[to("msdyn_liveworkstreamid_msdyn_ocliveworkitem", "msdyn_liveworkstream")],
        ),
        lookup("msdyn_cdsqueueid", "_msdyn_cdsqueueid_value", &[to("msdyn_cdsqueueid_msdyn_ocliveworkitem", "queue")]),
        lookup(
            "msdyn_queueitemid",
            "_msdyn_queueitemid_value",
            &[to("msdyn_queueitemid_msdyn_ocliveworkitem", "queueitem")],
        ),
        lookup(
            "msdyn_socialprofileid",
            "_msdyn_socialprofileid_value",
            &[to("msdyn_socialprofileid_msdyn_ocliveworkitem", "socialprofile")],
        ),
        lookup(
            "msdyn_lastactiveownerid",
            "_msdyn_lastactiveownerid_value",
            &[to("msdyn_lastactiveownerid_msdyn_ocliveworkitem", "systemuser")],
        ),
        lookup(
            "msdyn_routableobjectid",
            "_msdyn_routableobjectid_value",
            &[to("msdyn_msdyn_routableobjectid_msdyn_ocliveworkitem_task", "task")],
        ),
        lookup("msdyn_channelinstanceid", "_msdyn_channelinstanceid_value", &[to("msdyn_channelinstanceid", ANY)]),
        lookup(
            "msdyn_activesessionparticipantid",
            "_msdyn_activesessionparticipantid_value",
            &[to("msdyn_activesessionparticipantid", "msdyn_sessionparticipant")],
        ),
        lookup(
            "ownerid",
            "_ownerid_value",
            &[to("ownerid_msdyn_ocliveworkitem", "systemuser"), to("ownerid_msdyn_ocliveworkitem", "team")],
        ),
    ],
    // State 4, "Wrap-up (Deprecated)", has no status of its own: its documented default, 5, belongs to state 0.
    states: &[
        state(0, "Open", 1),
        state(1, "Closed", 4),
        state(2, "Resolved", 6),
        state(3, "Scheduled", 7),
        state(4, "Wrap-up (Deprecated)", 5),
    ],
    statuses: &[
        status(1, "Open", 0),
        status(2, "Active", 0),
        status(3, "Waiting", 0),
        status(5, "Wrap-up", 0),
        status(4, "Closed", 1),
        status(6, "Resolved", 2),
        status(7, "Scheduled", 3),
    ],
};
