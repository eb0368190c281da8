//! GET of sets: filters, order and pages.

use omnichannel_link_emulator::{Changes, table};
use serde_json::{Value, json};

use crate::client::{self, ACCOUNT, CONVERSATION, Server, TestResponse, page};

fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// The usual rows, five accounts, and four conversations with them as customers.
async fn server() -> Server {
    let server = Server::start().await;
    let names = ["Adventure Works", "Contoso", "contoso o'Neil", "Litware", "100% 'A_B'"];
    let accounts = names.iter().enumerate().map(|(n, name)| json!({ "accountid": id(n), "name": name }));
    let conversation = |n: usize, status: i64, customer: usize, created: &str| {
        json!({
            "activityid": id(n), "subject": format!("Visitor {n}"), "statuscode": status, "createdon": created,
            "_msdyn_customer_value": id(customer),
            "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
            "msdyn_isoutbound": n == 3, "msdyn_transfercount": n, "msdyn_own": "Mine",
        })
    };
    let conversations = json!([
        conversation(1, 2, 3, "2026-01-01T10:00:00Z"),
        conversation(2, 4, 1, "2026-01-01T10:00:01Z"),
        conversation(3, 2, 0, "2026-01-02T00:00:00Z"),
        conversation(4, 1, 0, "2025-12-31T23:59:59Z"),
    ]);
    server.emulator.with_organisation(|organisation| {
        organisation.load_page("page", &page("accounts", accounts.collect::<Value>())).unwrap();
        organisation.load_page("page", &page("msdyn_ocliveworkitems", conversations)).unwrap();
    });
    server
}

fn rows(response: &TestResponse) -> Vec<Value> {
    response.json()["value"].as_array().unwrap_or_else(|| panic!("{}", response.text)).clone()
}

/// The values of one column for a query on a set.
async fn column(server: &Server, path: &str, column: &str) -> Vec<Value> {
    rows(&server.get(path).await).iter().map(|row| row[column].clone()).collect()
}

/// The last digits of the conversations that match a filter; the usual conversation is 1000.
async fn found(server: &Server, filter: &str) -> Vec<usize> {
    let ids = column(server, &format!("msdyn_ocliveworkitems?$filter={filter}"), "activityid").await;
    ids.iter().map(|id| if id == CONVERSATION { 1000 } else { id.as_str().unwrap()[24..].parse().unwrap() }).collect()
}

#[tokio::test]
async fn a_set_has_the_same_rows_as_single_reads() {
    let server = server().await;
    let headers = [("prefer", "odata.include-annotations=\"*\"")];
    let select = "$select=statuscode,_msdyn_customer_value";
    let path = format!("msdyn_ocliveworkitems?{select}&$filter=activityid%20eq%20{}", id(1));
    let response = server.get_with(&path, &headers).await;
    let single = server.get_with(&format!("msdyn_ocliveworkitems({})?{select}", id(1)), &headers).await.json();
    let (body, mut single) = (response.json(), single.as_object().unwrap().clone());
    let context = single.remove("@odata.context").unwrap();
    assert_eq!(body["@odata.context"], context.as_str().unwrap().strip_suffix("/$entity").unwrap());
    assert_eq!(body["value"], json!([single]));
    assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcount"], -1);
    assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"], false);
    assert_eq!(response.header("preference-applied"), Some(headers[0].1));
    assert_eq!((response.header("etag"), body.get("@odata.nextLink"), body.get("@odata.count")), (None, None, None));

    assert_eq!(rows(&server.get("incidents").await).len(), 1);
    assert!(rows(&server.get("contacts?$filter=contactid eq null").await).is_empty());
}

#[tokio::test]
async fn filters_find_matching_rows() {
    let server = server().await;
    for (filter, expected) in [
        ("statuscode eq 2", vec![1, 3, 1000]),
        ("statuscode ne 2", vec![2, 4]),
        ("statecode eq 1 or statuscode eq 1", vec![2, 4]),
        ("statuscode eq 2 and msdyn_transfercount ge 2", vec![3]),
        ("msdyn_transfercount gt 1 and msdyn_transfercount lt 4", vec![2, 3]),
        ("msdyn_transfercount le 1.5", vec![1]),
        ("subject eq 'visitor 3' or (statuscode eq 4 and statecode eq 1)", vec![2, 3]),
        ("statuscode eq 4 or statuscode eq 2 and msdyn_transfercount eq 3", vec![2, 3]),
        ("not (statuscode eq 2)", vec![2, 4]),
        ("not contains(subject,'visitor 1') and not(statuscode eq 2)", vec![2, 4]),
        ("msdyn_isoutbound eq true", vec![3]),
        ("msdyn_isoutbound ne true", vec![1, 2, 4, 1000]),
        ("msdyn_transfercount eq null", vec![1000]),
        ("msdyn_transfercount ne null", vec![1, 2, 3, 4]),
        ("not (msdyn_transfercount eq 3)", vec![1, 2, 4]),
        ("not (msdyn_transfercount eq 3 and statuscode eq 2)", vec![1, 2, 4]),
        ("msdyn_transfercount eq 3 or statuscode eq 2", vec![1, 3, 1000]),
        ("not contains(msdyn_title,'x')", vec![]),
        ("createdon ge 2026-01-01T10:00:00.5Z", vec![2, 3]),
        ("createdon lt 2026-01-01", vec![4]),
        ("createdon eq 2026-01-02T01:00:00%2B01:00", vec![3]),
        ("_msdyn_customer_value eq 00000000-0000-4000-8000-000000000000", vec![3, 4]),
        ("_msdyn_customer_value eq null", vec![]),
        ("activityid eq 7B7C9A3E-0D11-4F9E-9C39-5D0F6F3B1A01", vec![1000]),
        ("msdyn_own eq 'mine' and statuscode eq 4", vec![2]),
        ("startswith(subject,'vis') and endswith(subject,' 2')", vec![2]),
        ("contains(subject,'TOR 1')", vec![1, 1000]),
        ("Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=['1','4'])", vec![2, 4]),
        ("Microsoft.Dynamics.CRM.In(PropertyName='subject',PropertyValues=[\"Visitor 1\",'visitor 3'])", vec![1, 3]),
    ] {
        assert_eq!(found(&server, filter).await, expected, "{filter}");
    }
    let quoted = column(&server, "accounts?$filter=name eq 'Contoso O''Neil'", "name").await;
    assert_eq!(quoted, ["contoso o'Neil"]);
    assert_eq!(column(&server, "accounts?$filter=name+eq+'100%25+''A_B'''", "accountid").await, [id(4)]);
}

#[tokio::test]
async fn invalid_filters_are_rejected() {
    let server = server().await;
    let of = |filter: &str| format!("msdyn_ocliveworkitems?$filter={filter}");
    for filter in [
        "",
        "statuscode",
        "statuscode eq",
        "eq 2",
        "statuscode eq 2 and",
        "(statuscode eq 2",
        "statuscode eq 2)",
        "statuscode is 2",
        "subject eq 'x",
        "subject eq \"Visitor 17\"",
        "contains(subject,\"vis\")",
        "Microsoft.Dynamics.CRM.In(PropertyName=\"statuscode\",PropertyValues=['1'])",
        "Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=['1']) and subject eq \"x\"",
        "statuscode eq 2 statecode eq 0",
        "contains(subject)",
        "statuscode eq 2;",
        "statuscode eq 2x",
        "2x eq statuscode",
        "statuscode and statuscode eq 2",
        "subject eq 'x' 'y'",
        "Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=['1',])",
    ] {
        server.get(&of(filter)).await.expect_error(400, "0x80060888", "Bad Request - Error in query syntax.");
    }
    for (filter, name) in [("Subject eq 'x'", "Subject"), ("contains(msdyn_customer,'x')", "msdyn_customer")] {
        let text =
            format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.msdyn_ocliveworkitem'.");
        server.get(&of(filter)).await.expect_error(400, "0x80060888", &text);
    }
    let text = "Found operand types 'Edm.Int32' and 'Edm.String' for operator kind 'Equal'.";
    server.get(&of("statuscode eq 'Active'")).await.expect_error(400, "0x80060888", text);
}

#[tokio::test]
async fn unsupported_filters_are_rejected_with_the_reason() {
    let server = server().await;
    let literal_first = "a condition that begins with a literal";
    let on_condition = "an operator after a condition";
    for (filter, reason) in [
        ("toupper(subject) eq 'X'", "the function 'toupper'"),
        ("createdon lt now()", "the function 'now'"),
        ("contains(tolower(subject),'x')", "the function 'tolower'"),
        ("contains(subject,tolower('X'))", "the function 'tolower'"),
        ("Microsoft.Dynamics.CRM.Nope(PropertyName='createdon')", "the function 'Microsoft.Dynamics.CRM.Nope'"),
        ("Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)", "a parameter alias"),
        ("Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=@p2)", "a parameter alias"),
        ("@p1 eq 1", "a parameter alias"),
        ("statuscode eq @p1", "a parameter alias"),
        ("contains(subject,@p1)", "a parameter alias"),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=['Active'])",
            "'Active' is no value of 'statuscode'",
        ),
        ("Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=[])", "an array with no values"),
        ("contains(subject,'%25x')", "'%x', which has wildcards"),
        ("contains(subject,5)", "'5', which is not a string"),
        ("contains('Visitor 17',subject)", "a function whose first argument is not a column"),
        ("contains(statuscode,'2')", "a string function on 'statuscode'"),
        ("2 eq statuscode", literal_first),
        ("'Visitor 17' eq subject", literal_first),
        ("null eq subject", literal_first),
        ("true", literal_first),
        ("statuscode eq 2 or not(false)", literal_first),
        ("msdyn_isoutbound", "'msdyn_isoutbound' alone"),
        ("msdyn_isoutbound and statuscode eq 2", "'msdyn_isoutbound' alone"),
        ("(statuscode) eq 2", "'statuscode' alone"),
        ("statuscode eq (2)", "a value in parentheses"),
        ("contains(subject,'a') eq true", on_condition),
        ("(statuscode eq 2) ne false", on_condition),
        ("statuscode eq 2 eq true", on_condition),
        ("statuscode eq 1 add 1", on_condition),
        ("not statuscode eq 2", "'not' that is not followed by parentheses or a function"),
        ("statuscode gt null", "an order comparison with null"),
        ("statuscode in (1,2)", "the operator 'in'"),
        ("statuscode add 1 eq 2", "the operator 'add'"),
        ("contains(subject,msdyn_title)", "a comparison of two columns"),
        ("subject eq ACC-1", "'ACC-1', which is neither a literal nor a column"),
        ("subject eq Visitor", "'Visitor', which is neither a literal nor a column"),
        ("_msdyn_customer_value eq guid'00000000-0000-4000-8000-000000000000'", "a literal like guid'…'"),
        ("subject eq msdyn_IssueId_msdyn_ocliveworkitem/title", "a comparison of columns of two rows"),
        ("_msdyn_customer_value eq 'x'", "a value in quotes that is no GUID"),
    ] {
        let response = server.get(&format!("msdyn_ocliveworkitems?$filter={filter}")).await;
        response.expect_not_emulated(&format!(": {reason}"));
        response.expect_not_emulated(" in $filter.");
    }
}

#[tokio::test]
async fn a_filter_may_be_long_but_not_deeply_nested() {
    let server = server().await;
    let deep =
        |open: &str, close: &str, times: usize| format!("{}statuscode eq 4{}", open.repeat(times), close.repeat(times));
    assert_eq!(found(&server, &deep("(", ")", 100)).await, [2]);
    assert_eq!(found(&server, &deep("not(", ")", 50)).await, [2]);
    for word in ["and", "or"] {
        let many = vec!["statuscode eq 4"; 1000].join(&format!(" {word} "));
        assert_eq!(found(&server, &many).await, [2], "{word}");
    }
    for (open, close, times) in [
        ("(", ")", 101),
        ("(", ")", 8000),
        ("(", "", 8000),
        ("not ", "", 4000),
        ("not (", ")", 3000),
        ("not(statuscode eq 1 or ", ")", 700),
        ("(statuscode eq 1 and ", ")", 700),
    ] {
        let path = format!("msdyn_ocliveworkitems?$filter={}", deep(open, close, times));
        server.get(&path).await.expect_not_emulated("more than 100 nested parentheses and 'not'");
    }
    let functions = deep("contains(", ",'a')", 1500);
    server.get(&format!("accounts?$filter={functions}")).await.expect_not_emulated("the function 'contains'");
}

#[tokio::test]
async fn rows_are_sorted_by_orderby() {
    let server = server().await;
    let by_name = ["100% 'A_B'", "Adventure Works", "Contoso", "contoso o'Neil", "Fabrikam Coffee", "Litware"];
    assert_eq!(column(&server, "accounts?$orderby=name", "name").await, by_name);
    let backwards: Vec<_> = by_name.into_iter().rev().collect();
    assert_eq!(column(&server, "accounts?$orderby=statuscode,name desc", "name").await, backwards);

    let conversations =
        async |order: &str| column(&server, &format!("msdyn_ocliveworkitems?$orderby={order}"), "subject").await;
    let by_time = ["Visitor 17", "Visitor 4", "Visitor 1", "Visitor 2", "Visitor 3"];
    assert_eq!(conversations("createdon asc").await, by_time, "nothing comes first");
    // A lookup is sorted by the name of its target: A. Tester, Adventure Works (twice, then by id), Contoso, Litware.
    let by_customer = ["Visitor 17", "Visitor 3", "Visitor 4", "Visitor 2", "Visitor 1"];
    assert_eq!(conversations("_msdyn_customer_value").await, by_customer);

    for invalid in ["", "subject up", "subject,", "subject desc x"] {
        let path = format!("msdyn_ocliveworkitems?$orderby={invalid}");
        server.get(&path).await.expect_error(400, "0x80060888", "Error in query syntax.");
    }
    server.get("accounts?$orderby=Name").await.expect_error(400, "0x80060888", "property named 'Name'");
    for (unknown, reason) in [("@p1", "'@p1' in $orderby")] {
        server.get(&format!("msdyn_ocliveworkitems?$orderby={unknown}")).await.expect_not_emulated(reason);
    }
}

/// Follows the links of a query and returns the names on each page.
async fn pages(server: &Server, path: &str, size: &str, between: impl Fn(&Server)) -> Vec<Vec<Value>> {
    let prefer = format!("odata.maxpagesize={size}");
    let (mut pages, mut next) = (Vec::new(), path.to_owned());
    loop {
        let response = server.get_with(&next, &[("prefer", &prefer)]).await;
        assert_eq!(response.header("preference-applied"), Some(prefer.as_str()));
        let body = response.json();
        pages.push(rows(&response).iter().map(|row| row["name"].clone()).collect());
        let Some(link) = body["@odata.nextLink"].as_str() else { return pages };
        next = link.strip_prefix(server.emulator.url()).unwrap().to_owned();
        between(server);
    }
}

#[tokio::test]
async fn pages_do_not_shift_when_rows_change() {
    let server = server().await;
    let path = "accounts?$select=name&$orderby=name%20desc&$count=true";
    let all = [["Litware", "Fabrikam Coffee"], ["contoso o'Neil", "Contoso"], ["Adventure Works", "100% 'A_B'"]]
        .map(Vec::from);
    assert_eq!(pages(&server, path, "2", |_| ()).await, all);
    assert_eq!(pages(&server, "accounts?$top=1", "4", |_| ()).await.concat().len(), 6, "$top is ignored then");

    let counted = server.get_with(path, &[("prefer", "odata.maxpagesize=1")]).await.json();
    assert_eq!(counted["@odata.count"], 6);
    let link = counted["@odata.nextLink"].as_str().unwrap();
    assert!(link.contains("/accounts?$select=name&$orderby=name%20desc&$count=true&$skiptoken=%3Ccookie"), "{link}");
    let of_another_query = format!("accounts?$skiptoken={}", link.split("$skiptoken=").nth(1).unwrap());
    for other in ["accounts?$skiptoken=x", &of_another_query] {
        server.get(other).await.expect_not_emulated("$skiptoken");
    }

    // Rows of the first page are deleted, and one is added that would have been on it.
    let moving = pages(&server, path, "2", |server| {
        server.emulator.with_organisation(|organisation| {
            organisation.delete(table::ACCOUNT, client::id(ACCOUNT));
            organisation.write(table::ACCOUNT, client::id(&id(99)), Changes::new().set("name", "Zebra"));
        });
    });
    assert_eq!(moving.await, all);
}

#[tokio::test]
async fn a_page_and_a_count_end_at_five_thousand_rows() {
    let server = Server::start().await;
    let many = (0..5001).map(|n| json!({ "accountid": id(n), "name": "x" })).collect::<Value>();
    server.emulator.with_organisation(|organisation| organisation.load_page("page", &page("accounts", many)).unwrap());
    for prefer in ["odata.maxpagesize=9000", "odata.maxpagesize=0", "odata.include-annotations=\"*\""] {
        let body = server.get_with("accounts?$select=accountid&$count=true", &[("prefer", prefer)]).await.json();
        assert_eq!((body["value"].as_array().unwrap().len(), &body["@odata.count"]), (5000, &json!(5000)), "{prefer}");
        assert!(body["@odata.nextLink"].is_string());
        let exceeded = body.get("@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded");
        assert_eq!(exceeded, prefer.starts_with("odata.i").then_some(&json!(true)));
    }
}

#[tokio::test]
async fn a_count_of_more_than_five_thousand_rows_is_marked() {
    let server = Server::start().await;
    let prefer = [("prefer", "odata.include-annotations=\"*\"")];
    let add = |ns: std::ops::Range<usize>| {
        let rows = ns.map(|n| json!({ "accountid": id(n), "name": "x" })).collect::<Value>();
        server.emulator.with_organisation(|organisation| organisation.load_page("p", &page("accounts", rows)).unwrap());
    };
    for (rows, counted, is_exceeded) in [(0..4999, 4999, false), (4999..5000, 5000, false), (5000..5001, 5000, true)] {
        add(rows);
        let path = "accounts?$select=accountid&$filter=name eq 'x'&$count=true";
        let body = server.get_with(path, &prefer).await.json();
        assert_eq!(body["@odata.count"], counted);
        assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcount"], counted);
        assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"], is_exceeded, "{counted}");
    }
}

#[tokio::test]
async fn top_works_and_unsupported_options_are_rejected() {
    let server = server().await;
    for query in ["$top=2", "$top=2&$count=false"] {
        let top = server.get(&format!("accounts?{query}")).await;
        assert_eq!(
            (rows(&top).len(), top.json().get("@odata.count"), top.json().get("@odata.nextLink")),
            (2, None, None)
        );
    }
    server.get("accounts?$skip=1").await.expect_error(400, "0x80060888", "Skip Clause is not supported in CRM");
    server.get("accounts?$select=nope").await.expect_error(400, "0x80060888", "property named 'nope'");
    for invalid in ["$top=x", "$top=-1", "$count=yes"] {
        server.get(&format!("accounts?{invalid}")).await.expect_error(400, "0x80060888", "Error in query syntax.");
    }
    for unknown in ["$top=0", "$top=5001", "$search=x", "$top=1&$top=2"] {
        server.get(&format!("accounts?{unknown}")).await.expect_not_emulated("GET /api/data/v9.2/accounts?");
    }
    server.get("accounts?$top=2&$count=true").await.expect_not_emulated("$top together with $count");
    server.get_with("accounts", &[("if-none-match", "W/\"1\"")]).await.expect_not_emulated("if-none-match");
    assert_eq!(server.get_with("accounts", &[("if-none-match", "null")]).await.status, 200);
}
