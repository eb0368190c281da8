//! `$metadata`: all definitions as one XML document, and the service document that lists the sets.

use std::fmt::Write;

use axum::http::Method;
use serde_json::{Value, json};

use super::context::Context;
use crate::{
    definitions::{
        Definitions, TableRef,
        kind::Kind,
        table::{ANY, Collection, Column, Members, Navigation, Table},
    },
    error::ODataError,
    message::{ApiResponse, Content},
};

/// The abstract type of all tables.
const BASE: &str = "crmbaseentity";
/// The table from which activities derive.
const ACTIVITY: &str = "activitypointer";

/// Operations that are not generic over tables: types, functions, actions, and their imports.
const OPERATIONS: &str = include_str!("../../definitions/operations.xml");
const IMPORTS: &str = include_str!("../../definitions/imports.xml");

const START: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
<edmx:Reference Uri="http://vocabularies.odata.org/OData.Core.V1.xml"><edmx:Include Namespace="Org.OData.Core.V1" Alias="Core" /></edmx:Reference>
<edmx:Reference Uri="http://vocabularies.odata.org/OData.Capabilities.V1.xml"><edmx:Include Namespace="Org.OData.Capabilities.V1" Alias="Capabilities" /></edmx:Reference>
<edmx:DataServices>
<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="crmbaseentity" Abstract="true" />
"#;
const END: &str = "</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n";

/// Responds to a `GET` of the two documents. `None` for any other request.
pub(super) fn respond(context: &Context<'_>, segments: &[&str]) -> Option<Result<ApiResponse, ODataError>> {
    if context.request.method != Method::GET {
        return None;
    }
    match segments {
        [""] => Some(Ok(service(context))),
        ["$metadata"] => Some(metadata(context)),
        _ => None,
    }
}

fn service(context: &Context<'_>) -> ApiResponse {
    let sets = context
        .definitions
        .tables()
        .iter()
        .map(|table| json!({ "name": table.set, "kind": "EntitySet", "url": table.set }));
    let of = format!("{}/$metadata", context.root);
    ApiResponse::json(200, json!({ "@odata.context": of, "value": sets.collect::<Value>() }))
}

fn metadata(context: &Context<'_>) -> Result<ApiResponse, ODataError> {
    let annotates = match context.request.query.as_deref() {
        None | Some("" | "annotations=false") => context.preferences.annotations.any(),
        Some("annotations=true") => true,
        Some(other) => return Err(ODataError::NotEmulated(format!("'{other}' of $metadata"))),
    };
    let definitions = &context.definitions;
    let mut xml = START.to_owned();
    // Types that others derive from come first.
    let (base, others): (Vec<_>, Vec<_>) =
        definitions.tables().iter().partition(|table| table.logical_name == ACTIVITY);
    for table in base.into_iter().chain(others) {
        entity_type(&mut xml, context, table, annotates);
    }
    xml += OPERATIONS;
    for table in definitions.tables() {
        multiple(&mut xml, table);
    }
    xml += "<EntityContainer Name=\"System\">\n";
    for table in definitions.tables() {
        set(&mut xml, context, table, annotates);
    }
    xml += IMPORTS;
    xml += "</EntityContainer>\n";
    xml += END;
    Ok(ApiResponse { status: 200, body: Some(Content::Text("application/xml", xml)), ..ApiResponse::default() })
}

/// Writes an element or its beginning. Writing to a string cannot fail.
macro_rules! put {
    ($xml:expr, $($text:tt)*) => { writeln!($xml, $($text)*).unwrap_or_default() };
}

fn entity_type(xml: &mut String, context: &Context<'_>, table: &TableRef, annotates: bool) {
    let activity = context.definitions.by_logical_name(ACTIVITY);
    let parent = activity.filter(|_| table.is_activity && table.logical_name != ACTIVITY);
    let base = parent.map_or(BASE, |parent| &parent.logical_name);
    put!(xml, "<EntityType Name=\"{}\" BaseType=\"mscrm.{base}\">", escape(&table.logical_name));
    if parent.is_none() {
        put!(xml, "<Key><PropertyRef Name=\"{}\" /></Key>", escape(&table.key));
    }
    for column in table.columns.iter().filter(|column| column.read) {
        if parent.is_none_or(|parent| parent.column(&column.name).is_none()) {
            property(xml, table, column, annotates);
        }
    }
    let hides = |name: &str| context.conditions.hides(name);
    for navigation in table.navigations().iter().filter(|navigation| !hides(&navigation.name)) {
        if parent.is_none_or(|parent| parent.navigation(&navigation.name).is_none()) {
            single(xml, &context.definitions, table, navigation);
        }
    }
    for collection in table.collections() {
        if parent.is_none_or(|parent| parent.collection(&collection.name).is_none()) {
            many(xml, &context.definitions, table, collection);
        }
    }
    put!(xml, "</EntityType>");
}

fn property(xml: &mut String, table: &Table, column: &Column, annotates: bool) {
    let mut facets = String::new();
    match &column.kind {
        Kind::String { max, .. } | Kind::Memo { max } => facets = format!(" MaxLength=\"{max}\" Unicode=\"false\""),
        Kind::Decimal(range) | Kind::Money(range) => facets = format!(" Scale=\"{}\"", range.precision),
        _ => {}
    }
    if column.name == table.key {
        facets += " Nullable=\"false\"";
    }
    let (name, kind) = (escape(&column.read_name), column.kind.edm());
    if annotates {
        let label = escape(&column.label);
        put!(
            xml,
            "<Property Name=\"{name}\" Type=\"{kind}\"{facets}><Annotation Term=\"Org.OData.Core.V1.Description\" String=\"{label}\" \
             /></Property>"
        );
    } else {
        put!(xml, "<Property Name=\"{name}\" Type=\"{kind}\"{facets} />");
    }
}

/// The table that a navigation property points to, if it is one that is defined.
fn target<'a>(definitions: &'a Definitions, navigation: &Navigation) -> Option<&'a TableRef> {
    match navigation.targets.as_slice() {
        [target] if target != ANY => definitions.by_logical_name(target),
        _ => None,
    }
}

fn single(xml: &mut String, definitions: &Definitions, table: &Table, navigation: &Navigation) {
    let name = escape(&navigation.name);
    let Some(target) = target(definitions, navigation) else {
        put!(xml, "<NavigationProperty Name=\"{name}\" Type=\"mscrm.{BASE}\" Nullable=\"true\" />");
        return;
    };
    let relationship = definitions.relationship(&table.logical_name, &navigation.column, &target.logical_name);
    let partner = relationship.filter(|known| !known.collection.is_empty() && known.navigation == navigation.name);
    let partner = partner.map_or_else(String::new, |known| format!(" Partner=\"{}\"", escape(&known.collection)));
    put!(xml, "<NavigationProperty Name=\"{name}\" Type=\"mscrm.{}\" Nullable=\"true\"{partner}>", target.logical_name);
    put!(
        xml,
        "<ReferentialConstraint Property=\"_{}_value\" ReferencedProperty=\"{}\" />",
        navigation.column,
        target.key
    );
    put!(xml, "</NavigationProperty>");
}

fn many(xml: &mut String, definitions: &Definitions, table: &Table, collection: &Collection) {
    let Some(member) = definitions.by_logical_name(&collection.table) else { return };
    let partner = match &collection.by {
        Members::Lookup { column } => {
            let known = definitions.relationship(&member.logical_name, column, &table.logical_name);
            known.map(|known| known.navigation.clone())
        }
        Members::Intersect { relationship, is_one } => {
            let known = definitions.many_to_many().iter().find(|known| known.name == *relationship);
            known.map(|known| if *is_one { known.two_navigation.clone() } else { known.one_navigation.clone() })
        }
    };
    // Owners share one property, which has no single partner.
    let partner = partner.filter(|partner| member.navigation(partner).is_none_or(|found| found.targets.len() == 1));
    let partner = partner.map_or_else(String::new, |partner| format!(" Partner=\"{}\"", escape(&partner)));
    let name = escape(&collection.name);
    put!(xml, "<NavigationProperty Name=\"{name}\" Type=\"Collection(mscrm.{})\"{partner} />", member.logical_name);
}

fn set(xml: &mut String, context: &Context<'_>, table: &TableRef, annotates: bool) {
    let definitions = &context.definitions;
    put!(
        xml,
        "<EntitySet Name=\"{}\" EntityType=\"Microsoft.Dynamics.CRM.{}\">",
        escape(&table.set),
        escape(&table.logical_name)
    );
    let hides = |name: &str| context.conditions.hides(name);
    let singles = table.navigations().iter().filter(|navigation| !hides(&navigation.name));
    let singles = singles.filter_map(|navigation| Some((&navigation.name, target(definitions, navigation)?)));
    let many = table.collections().iter();
    let many = many.filter_map(|collection| Some((&collection.name, definitions.by_logical_name(&collection.table)?)));
    for (name, target) in singles.chain(many) {
        put!(xml, "<NavigationPropertyBinding Path=\"{}\" Target=\"{}\" />", escape(name), escape(&target.set));
    }
    if annotates {
        let tracks = context.conditions.tracks_changes(table);
        put!(
            xml,
            "<Annotation Term=\"Org.OData.Capabilities.V1.ChangeTracking\"><Record><PropertyValue Property=\"Supported\" \
             Bool=\"{tracks}\" /></Record></Annotation>"
        );
    }
    put!(xml, "</EntitySet>");
}

/// The actions on several rows of a table.
fn multiple(xml: &mut String, table: &Table) {
    let name = escape(&table.logical_name);
    for action in ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"] {
        let result = if action == "CreateMultiple" {
            "<ReturnType Type=\"mscrm.CreateMultipleResponse\" Nullable=\"false\" />"
        } else {
            ""
        };
        put!(
            xml,
            "<Action Name=\"{action}\" IsBound=\"true\"><Parameter Name=\"entityset\" Type=\"Collection(mscrm.{name})\" \
             Nullable=\"false\" /><Parameter Name=\"Targets\" Type=\"Collection(mscrm.{name})\" Nullable=\"false\" />{result}</Action>"
        );
    }
}

/// Text in an attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
