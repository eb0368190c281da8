//! Attributes and errors of the XML.

use roxmltree::Node;

use crate::error::ODataError;

pub(super) fn required<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, ODataError> {
    node.attribute(name).ok_or_else(|| invalid(&format!("'{}' has no '{name}'.", node.tag_name().name())))
}

pub(super) fn is_true(node: Node<'_, '_>, name: &str) -> bool {
    matches!(node.attribute(name), Some("true" | "1"))
}

pub(super) fn invalid(detail: &str) -> ODataError {
    ODataError::InvalidFetchXml(detail.to_owned())
}

pub(super) fn not_emulated(what: &str) -> ODataError {
    ODataError::NotEmulated(format!("{what} in FetchXML"))
}
