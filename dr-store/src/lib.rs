//! dr's state store on object stores.
