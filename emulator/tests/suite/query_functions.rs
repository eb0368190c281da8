//! Query functions, parameter aliases, comparisons of columns, and conditions on collections in `$filter`.

use omnichannel_link_emulator::{Changes, Reference, table};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::client::{ACCOUNT, CONTACT, CONVERSATION, INCIDENT, MISSING, Server, TestResponse, id};

/// 20 January 2027, a Wednesday, at noon.
const NOON: u64 = 1_800_446_400_000;
const DAY: u64 = 86_400_000;

/// Contacts that are created on different days: Old 40 days ago, Week 6 days ago, Now today. Two belong to the account.
async fn server() -> Server {
    let server = Server::start().await;
    let mut before = 40;
    server.emulator.faults().conditions(json!({ "dateInMs": NOON - before * DAY })).unwrap();
    for (first, last, children, days_ago, of_account) in
        [("Ann", "Old", 1, 40, true), ("Week", "Week", 2, 6, true), ("Cid", "Now", 3, 0, false)]
    {
        server.advance((before - days_ago) * DAY);
        before = days_ago;
        let mut body = json!({
            "firstname": first, "lastname": last, "numberofchildren": children, "birthdate": "1990-05-01", "donotphone": children == 1,
        });
        if of_account {
            body["parentcustomerid_account@odata.bind"] = format!("/accounts({ACCOUNT})").into();
        }
        assert_eq!(server.post("contacts", &[], body).await.status, 204);
    }
    server
}

async fn filter(server: &Server, set: &str, filter: &str, more: &str) -> TestResponse {
    let filter = utf8_percent_encode(filter, NON_ALPHANUMERIC);
    server.get(&format!("{set}?$filter={filter}&$orderby=createdon{more}")).await
}

async fn found_with(server: &Server, condition: &str, more: &str) -> Vec<String> {
    let response = filter(server, "contacts", condition, more).await;
    let body = response.json();
    let rows = body["value"].as_array().unwrap_or_else(|| panic!("{condition}: {}", response.text));
    let names = rows.iter().map(|row| row["lastname"].as_str().unwrap_or("Tester").to_owned());
    names.collect()
}

async fn found(server: &Server, condition: &str) -> Vec<String> {
    found_with(server, condition, "").await
}

#[tokio::test]
async fn query_functions_find_rows() {
    let server = server().await;
    for (function, arguments, expected) in [
        ("In", r#"'numberofchildren',PropertyValues=["1","3"]"#, vec!["Old", "Now"]),
        ("NotIn", r"'numberofchildren',PropertyValues=['1','3']", vec!["Week"]),
        ("Between", r#"'numberofchildren',PropertyValues=["2","3"]"#, vec!["Week", "Now"]),
        ("NotBetween", r#"'numberofchildren',PropertyValues=["2","3"]"#, vec!["Old"]),
        ("EqualUserId", "'ownerid'", vec![]),
        ("EqualUserId", "'_ownerid_value'", vec!["Old", "Week", "Now"]),
        ("NotEqualUserId", "'_ownerid_value'", vec!["Tester"]),
        ("EqualBusinessId", "'_owningbusinessunit_value'", vec!["Old", "Week", "Now"]),
        ("Today", "'createdon'", vec!["Now"]),
        ("Yesterday", "'createdon'", vec![]),
        ("Last7Days", "'createdon'", vec!["Week", "Now"]),
        ("LastWeek", "'createdon'", vec!["Week"]),
        ("ThisWeek", "'createdon'", vec!["Now"]),
        ("ThisMonth", "'createdon'", vec!["Week", "Now"]),
        ("LastMonth", "'createdon'", vec!["Old"]),
        ("LastYear", "'createdon'", vec!["Old"]),
        ("LastXDays", "'createdon',PropertyValue=6", vec!["Week", "Now"]),
        ("LastXDays", "'createdon',PropertyValue='5'", vec!["Now"]),
        ("LastXHours", "'createdon',PropertyValue=1", vec!["Now"]),
        ("LastXMonths", "'createdon',PropertyValue=2", vec!["Old", "Week", "Now"]),
        ("NextXDays", "'createdon',PropertyValue=1", vec!["Now"]),
        ("OlderThanXDays", "'createdon',PropertyValue=6", vec!["Old"]),
        ("On", "'createdon',PropertyValue='2027-01-14'", vec!["Week"]),
        ("OnOrAfter", "'createdon',PropertyValue='2027-01-14'", vec!["Week", "Now"]),
        ("OnOrBefore", "'createdon',PropertyValue=2027-01-14", vec!["Old", "Week"]),
        ("On", "'birthdate',PropertyValue='1990-05-01'", vec!["Old", "Week", "Now"]),
    ] {
        let condition = format!("Microsoft.Dynamics.CRM.{function}(PropertyName={arguments})");
        if arguments == "'ownerid'" {
            filter(&server, "contacts", &condition, "").await.expect_error(400, "0x80060888", "named 'ownerid'");
            continue;
        }
        assert_eq!(found(&server, &condition).await, expected, "{condition}");
    }
    let both = "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=9) and not Microsoft.Dynamics.CRM.Today(PropertyName='createdon')";
    assert_eq!(found(&server, both).await, ["Week"]);
    let without_value = "not Microsoft.Dynamics.CRM.In(PropertyName='numberofchildren',PropertyValues=['1'])";
    assert_eq!(found(&server, without_value).await, ["Week", "Now"], "an empty column is undecided");
}

#[tokio::test]
async fn choices_are_found_by_any_of_their_values() {
    let server = Server::start().await;
    server.emulator.with_organisation(|organisation| {
        let changes = Changes::new().set("msdyn_channel", "192360000,192440000");
        organisation.write(table::CONVERSATION, id(CONVERSATION), changes);
    });
    for (function, values, rows) in [
        ("ContainValues", "'192440000'", 1),
        ("ContainValues", "'192440000','192370000'", 1),
        ("ContainValues", "'192370000'", 0),
        ("DoesNotContainValues", "'192370000'", 1),
        ("DoesNotContainValues", "'192360000'", 0),
    ] {
        let condition =
            format!("Microsoft.Dynamics.CRM.{function}(PropertyName='msdyn_channel',PropertyValues=[{values}])");
        let response = filter(&server, "msdyn_ocliveworkitems", &condition, "").await.json();
        assert_eq!(response["value"].as_array().unwrap().len(), rows, "{condition}: {response}");
    }
}

#[tokio::test]
async fn the_user_of_a_function_is_the_caller() {
    let server = server().await;
    let path = "contacts?$filter=Microsoft.Dynamics.CRM.EqualUserId(PropertyName='_ownerid_value')";
    let other = [("mscrmcallerid", "5d4f4bd1-0f4f-4b51-8f2c-5e0c0f0b7f10")];
    assert_eq!(server.get_with(path, &other).await.json()["value"], json!([]));
    let xml = "<fetch><entity name='contact'><filter><condition attribute='ownerid' operator='eq-userid'/></filter></entity></fetch>";
    let xml = utf8_percent_encode(xml, NON_ALPHANUMERIC);
    assert_eq!(server.get_with(&format!("contacts?fetchXml={xml}"), &other).await.json()["value"], json!([]));
}

#[tokio::test]
async fn parameter_aliases_stand_for_values() {
    let server = server().await;
    for (condition, aliases, expected) in [
        ("numberofchildren eq @n", "&@n=2", vec!["Week"]),
        ("lastname eq @p1 or lastname eq @p2", "&@p1='Old'&@p2='now'", vec!["Old", "Now"]),
        ("contains(lastname,@p1)", "&@p1='ee'", vec!["Week"]),
        ("numberofchildren eq @p1", "&@p1=null", vec!["Tester"]),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)",
            "&@p1='lastname'&@p2=[\"Old\",\"O'Brian\"]",
            vec!["Old"],
        ),
        (
            "Microsoft.Dynamics.CRM.LastXDays(PropertyName=@p1,PropertyValue=@p2)",
            "&@p1='createdon'&@p2=6",
            vec!["Week", "Now"],
        ),
    ] {
        assert_eq!(found_with(&server, condition, aliases).await, expected, "{condition}");
    }
    for (aliases, reason) in
        [("", "a parameter alias without a value"), ("&@n=@m&@m=2", "a parameter alias in another")]
    {
        filter(&server, "contacts", "numberofchildren eq @n", aliases).await.expect_not_emulated(reason);
    }
    let (many, long) = ("numberofchildren eq @n or ".repeat(400), "(".repeat(8000));
    let path = format!("contacts?$filter={many}numberofchildren eq 1&@n={long}");
    server.get(&path).await.expect_not_emulated("so many values");
}

#[tokio::test]
async fn ids_may_have_quotes() {
    let server = server().await;
    for condition in [
        format!("contactid eq '{CONTACT}'"),
        format!("contactid eq {CONTACT}"),
        format!("contactid eq '{}'", CONTACT.to_uppercase()),
        format!("not(_parentcustomerid_value eq '{ACCOUNT}') and numberofchildren eq null"),
        format!("_parentcustomerid_value ne '{ACCOUNT}' and numberofchildren eq null"),
    ] {
        let expected = if condition.starts_with("not") { vec![] } else { vec!["Tester"] };
        assert_eq!(found(&server, &condition).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn columns_of_a_row_are_compared() {
    let server = server().await;
    assert_eq!(found(&server, "firstname eq lastname").await, ["Week"]);
    assert_eq!(found(&server, "firstname ne lastname").await, ["Old", "Now"]);
    assert_eq!(found(&server, "createdon le modifiedon").await, ["Old", "Week", "Now"]);
    let types = filter(&server, "contacts", "firstname eq numberofchildren", "").await;
    types.expect_error(400, "0x80060888", "incompatible types");
    filter(&server, "contacts", "firstname eq parentcustomerid_account/name", "")
        .await
        .expect_not_emulated("a comparison of columns of two rows");
}

#[tokio::test]
async fn lambdas_find_rows_by_their_collections() {
    let server = server().await;
    // A contact has the id of this account, and another contact belongs to that contact.
    server.post("accounts", &[], json!({ "accountid": MISSING, "name": "Alone" })).await;
    server.post("contacts", &[], json!({ "contactid": MISSING, "lastname": "Same" })).await;
    let child = json!({ "lastname": "Child", "parentcustomerid_contact@odata.bind": format!("/contacts({MISSING})") });
    assert_eq!(server.post("contacts", &[], child).await.status, 204);
    server.emulator.with_organisation(|organisation| {
        let changes = Changes::new().link("primarycontactid", Reference::new("contact", id(CONTACT)));
        organisation.write(table::INCIDENT, id(INCIDENT), changes);
    });
    for (condition, expected) in [
        ("contact_customer_accounts/any()", vec!["Fabrikam Coffee"]),
        ("not contact_customer_accounts/any()", vec!["Alone"]),
        ("contact_customer_accounts/any(c:c/numberofchildren eq 2)", vec!["Fabrikam Coffee"]),
        ("contact_customer_accounts/any(c : c/numberofchildren eq 3)", vec![]),
        (
            "contact_customer_accounts/any(c:contains(c/lastname,'ld') and c/donotphone eq true)",
            vec!["Fabrikam Coffee"],
        ),
        ("contact_customer_accounts/all(c:c/numberofchildren lt 3)", vec!["Fabrikam Coffee", "Alone"]),
        ("contact_customer_accounts/all(c:(c/numberofchildren eq 1))", vec!["Alone"]),
        (
            "contact_customer_accounts/any(c:c/createdon lt 2026-12-20T00:00:00Z) and endswith(name,'Coffee')",
            vec!["Fabrikam Coffee"],
        ),
        (
            "contact_customer_accounts/any(c:c/Microsoft.Dynamics.CRM.Between(PropertyName='numberofchildren',PropertyValues=['2','3']))",
            vec!["Fabrikam Coffee"],
        ),
        (
            "contact_customer_accounts/any(c:c/parentcustomerid_account/name eq 'Fabrikam Coffee')",
            vec!["Fabrikam Coffee"],
        ),
        (
            "incident_customer_accounts/any(i:i/title ne 'x' and i/primarycontactid/fullname eq 'A. Tester')",
            vec!["Fabrikam Coffee"],
        ),
        (
            "contact_customer_accounts/any(c:c/numberofchildren eq 2 and not c/contact_customer_contacts/any())",
            vec!["Fabrikam Coffee"],
        ),
        ("contact_customer_accounts/any(c:c/contact_customer_contacts/any(d:d/lastname eq 'Old'))", vec![]),
    ] {
        let response = filter(&server, "accounts", condition, "").await;
        let body = response.json();
        let names: Vec<_> = body["value"]
            .as_array()
            .unwrap_or_else(|| panic!("{condition}: {}", response.text))
            .iter()
            .map(|row| &row["name"])
            .collect();
        assert_eq!(names, expected, "{condition}");
    }
    let nine = "contact_customer_accounts/any() and ".repeat(16) + "name ne 'x'";
    for (condition, reason) in [
        ("primarycontactid/contact_customer_contacts/any(c:c/lastname eq 'x')", "a collection of another row"),
        ("contact_customer_accounts/any(c:name eq 'x')", "'name', which does not begin with 'c/'"),
        ("contact_customer_accounts/lastname eq 'x'", "a column of the rows of a collection"),
        (&nine, "more than 15 conditions on collections"),
    ] {
        filter(&server, "accounts", condition, "").await.expect_not_emulated(reason);
    }
    for invalid in
        ["contact_customer_accounts/all()", "contact_customer_accounts/any(c)", "contact_customer_accounts/any(c:)"]
    {
        filter(&server, "accounts", invalid, "").await.expect_error(400, "0x80060888", "Error in query syntax.");
    }
    filter(&server, "accounts", "nope/any()", "").await.expect_error(400, "0x80060888", "named 'nope'");
}

#[tokio::test]
async fn pairs_of_rows_are_found_too() {
    let server = server().await;
    let user = server.get("WhoAmI").await.json()["UserId"].as_str().unwrap().to_owned();
    for name in ["Empty", "One"] {
        let response = server.post("teams", &[("prefer", "return=representation")], json!({ "name": name })).await;
        let team = response.json()["teamid"].as_str().unwrap_or_else(|| panic!("{}", response.text)).to_owned();
        if name == "One" {
            let body = json!({ "@odata.id": format!("{}/api/data/v9.2/systemusers({user})", server.emulator.url()) });
            let path = format!("teams({team})/teammembership_association/$ref");
            assert_eq!(server.post(&path, &[], body).await.status, 204);
        }
    }
    let body = filter(&server, "teams", "teammembership_association/any(u:u/fullname ne 'x')", "").await.json();
    assert_eq!((body["value"].as_array().unwrap().len(), &body["value"][0]["name"]), (1, &json!("One")));
    let back = filter(&server, "systemusers", "teammembership_association/all(t:t/name eq 'Empty')", "").await.json();
    assert_eq!(back["value"], json!([]));
}

#[tokio::test]
async fn functions_that_are_not_built_are_named() {
    let server = server().await;
    for (condition, reason) in [
        ("ThisFiscalYear(PropertyName='createdon')", "the function 'Microsoft.Dynamics.CRM.ThisFiscalYear'"),
        (
            "Under(PropertyName='_parentcustomerid_value',PropertyValue='x')",
            "the function 'Microsoft.Dynamics.CRM.Under'",
        ),
        ("Today(PropertyName='lastname')", "the operator 'today' on 'lastname'"),
        ("LastXDays(PropertyName='createdon',PropertyValue=0)", "needs a number"),
        ("LastXDays(PropertyName='createdon',PropertyValue=9999999999)", "needs a number"),
        ("EqualUserId(PropertyName='lastname')", "on 'lastname', a column of another type"),
        ("Between(PropertyName='numberofchildren',PropertyValues=['1'])", "needs two values"),
        ("On(PropertyName='createdon',PropertyValue='soon')", "'soon' is no value of 'createdon'"),
    ] {
        filter(&server, "contacts", &format!("Microsoft.Dynamics.CRM.{condition}"), "")
            .await
            .expect_not_emulated(reason);
    }
    for invalid in [
        "Today()",
        "Today(PropertyName='createdon',PropertyValue=1)",
        "LastXDays(PropertyName='createdon')",
        "In(PropertyName='lastname',PropertyValues=['a',])",
    ] {
        let response = filter(&server, "contacts", &format!("Microsoft.Dynamics.CRM.{invalid}"), "").await;
        response.expect_error(400, "0x80060888", "Error in query syntax.");
    }
}
