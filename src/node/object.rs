//! Objects for JavaScript with optional properties.

use napi::{
    Env, Property, PropertyAttributes,
    bindgen_prelude::{JsObjectValue, Object, ToNapiValue, Unknown},
};

/// Properties of an object. They are defined, not assigned: an assignment could call a setter of a changed `Object.prototype`.
pub(super) struct Properties<'env> {
    env: &'env Env,
    all: Vec<Property>,
}

impl<'env> Properties<'env> {
    pub(super) const fn new(env: &'env Env) -> Self {
        Self { env, all: Vec::new() }
    }

    pub(super) fn set<T: ToNapiValue>(&mut self, name: &str, value: T) -> napi::Result<()> {
        self.define(name, value, PropertyAttributes::Enumerable)
    }

    /// Leaves the property out if there is no value.
    pub(super) fn set_some<T: ToNapiValue>(&mut self, name: &str, value: Option<T>) -> napi::Result<()> {
        value.map_or(Ok(()), |value| self.set(name, value))
    }

    /// A property that JSON and copies leave out.
    pub(super) fn set_hidden<T: ToNapiValue>(&mut self, name: &str, value: Option<T>) -> napi::Result<()> {
        value.map_or(Ok(()), |value| self.define(name, value, PropertyAttributes::Default))
    }

    fn define<T: ToNapiValue>(&mut self, name: &str, value: T, attributes: PropertyAttributes) -> napi::Result<()> {
        // SAFETY: converted in the environment that it is used in.
        let value = unsafe { Unknown::from_raw_unchecked(self.env.raw(), T::to_napi_value(self.env.raw(), value)?) };
        let property = Property::new().with_utf8_name(name)?.with_value(&value);
        let attributes = attributes | PropertyAttributes::Writable | PropertyAttributes::Configurable;
        self.all.push(property.with_property_attributes(attributes));
        Ok(())
    }

    pub(super) fn into_object(self) -> napi::Result<Object<'env>> {
        let object = Object::new(self.env)?;
        self.define_on(object)
    }

    pub(super) fn define_on(self, mut object: Object<'env>) -> napi::Result<Object<'env>> {
        object.define_properties(&self.all)?;
        Ok(object)
    }
}
