//! Where a side is entered: its service's load balancer.

use dr_core::resource::{Addresses, Cx};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};

use crate::discovery::Kind;
use crate::objects::ServiceObject;
use crate::side::Sides;

#[async_trait]
impl Addresses for Sides {
    async fn addresses(&self, cx: &Cx, side: &Side) -> Result<Vec<String>> {
        let cluster = self.cluster(side)?;
        let Some(service) = &self.config.address else {
            let text =
                "no address: name the service of its load balancer (address: { service: NAMESPACE/NAME })";
            return Err(Error::unsupported(text).on(side.as_str()));
        };
        let namespace = service.namespace.as_ref().unwrap_or(&cluster.namespace);
        let path = Kind::core("services", "Service").at(namespace, &service.name);
        let found = cx.bound("addresses", cluster.get::<ServiceObject>(cx, &path)).await?;
        if found.spec.kind != "LoadBalancer" {
            let text = format!(
                "service {namespace}/{} is of type {}: no load balancer",
                service.name, found.spec.kind
            );
            return Err(Error::refused(text).on(side.as_str()));
        }
        let ingress = found.status.load_balancer.ingress.into_iter();
        let mut addresses: Vec<String> = ingress.filter_map(|one| one.ip.or(one.hostname)).collect();
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            let text = format!("service {namespace}/{} has no address yet", service.name);
            return Err(Error::new(ErrorKind::NotReady, text).not_happened().on(side.as_str()));
        }
        Ok(addresses)
    }
}
