//! Responses: a conversation as Dataverse shows it, with annotations.

use std::io::Write;

use uuid::Uuid;

#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) version: u64,
    pub(super) contact: Option<u128>,
}

impl Default for Row {
    fn default() -> Self {
        Self { version: 1, contact: None }
    }
}

const HEADERS: &str = "Cache-Control: no-cache\r\n\
    Vary: Origin,Accept-Encoding\r\n\
    x-ms-service-request-id: 5fe1bc8a-7d02-4cbb-9d3f-9e1e0a5a3a11\r\n\
    REQ_ID: 5fe1bc8a-7d02-4cbb-9d3f-9e1e0a5a3a11\r\n\
    x-ms-ratelimit-time-remaining-xrm-requests: 1,199.97\r\n\
    x-ms-ratelimit-burst-remaining-xrm-requests: 7999\r\n\
    Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n\
    OData-Version: 4.0\r\n\
    Date: Sat, 28 Nov 2026 12:00:00 GMT\r\n";

impl Row {
    /// 200 with the row.
    pub(super) fn write(self, id: u128, output: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(2048);
        let (id, version) = (Uuid::from_u128(id), self.version);
        let written = write!(
            body,
            "{{\"@odata.context\":\"https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#msdyn_ocliveworkitems(activityid,statecode,\
            statuscode,subject,_msdyn_customer_value,_msdyn_issueid_value)/$entity\",\"@odata.etag\":\"W/\\\"{version}\\\"\",\
            \"activityid\":\"{id}\",\"statecode@OData.Community.Display.V1.FormattedValue\":\"Open\",\"statecode\":0,\
            \"statuscode@OData.Community.Display.V1.FormattedValue\":\"Active\",\"statuscode\":2,\"subject\":\"Alex Morgan: question about \
            an invoice\",\"createdon\":\"2026-11-28T11:52:07Z\",\"modifiedon\":\"2026-11-28T11:58:31Z\","
        );
        let written = written.and_then(|()| match self.contact.map(Uuid::from_u128) {
            None => write!(body, "\"_msdyn_customer_value\":null,"),
            Some(contact) => write!(
                body,
                "\"_msdyn_customer_value@OData.Community.Display.V1.FormattedValue\":\"Alex Morgan\",\
                \"_msdyn_customer_value@Microsoft.Dynamics.CRM.associatednavigationproperty\":\
                \"msdyn_customer_msdyn_ocliveworkitem_contact\",\
                \"_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"contact\",\"_msdyn_customer_value\":\"{contact}\","
            ),
        });
        let _infallible = written.and_then(|()| {
            write!(body, "\"_msdyn_issueid_value\":null}}")?;
            write!(
                output,
                "HTTP/1.1 200 OK\r\n{HEADERS}Content-Type: application/json; odata.metadata=minimal\r\nETag: W/\"{version}\"\r\n\
                Preference-Applied: return=representation,odata.include-annotations=\"*\"\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            output.write_all(&body)
        });
    }

    /// 204 without the row.
    pub(super) fn confirm(self, id: u128, output: &mut Vec<u8>) {
        let (id, version) = (Uuid::from_u128(id), self.version);
        let _infallible = write!(
            output,
            "HTTP/1.1 204 No Content\r\n{HEADERS}ETag: W/\"{version}\"\r\n\
            OData-EntityId: https://contoso.crm4.dynamics.com/api/data/v9.2/msdyn_ocliveworkitems({id})\r\n\r\n"
        );
    }
}

pub(super) fn refuse(status: u16, reason: &str, output: &mut Vec<u8>) {
    let body = r#"{"error":{"code":"0x80060882","message":"The version of the existing record doesn't match the RowVersion property provided."}}"#;
    let _infallible = write!(
        output,
        "HTTP/1.1 {status} {reason}\r\n{HEADERS}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}
