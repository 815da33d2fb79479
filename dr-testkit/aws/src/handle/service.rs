//! The small service of a region.

use std::net::SocketAddr;

use dr_core::Result;

use super::Database;
use crate::app::App;
use crate::aws::Aws;

/// A region's service.
#[derive(Debug)]
pub struct ServiceHandle<'a> {
    aws: &'a Aws,
    region: String,
    address: SocketAddr,
}

impl Aws {
    /// Starts the region's service on a database.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub async fn start_service(
        &self,
        region: &str,
        database: impl Into<Database>,
    ) -> Result<ServiceHandle<'_>> {
        let database = database.into().0;
        self.shared.with(|world| world.apps.insert(region.to_owned(), App::new(database)));
        let address = self.service_address(region).await?;
        self.shared.with(crate::world::World::changed);
        Ok(ServiceHandle { aws: self, region: region.to_owned(), address })
    }
}

impl ServiceHandle<'_> {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its `DATABASE_URL` says from now on.
    pub fn set_database(&self, database: impl Into<Database>) {
        let database = database.into().0;
        self.aws.shared.with(|world| {
            if let Some(app) = world.apps.get_mut(&self.region) {
                app.database = database;
            }
        });
    }

    /// How many processes of it run; with none connections are refused.
    pub fn set_replicas(&self, replicas: u32) {
        self.aws.shared.with(|world| {
            if let Some(app) = world.apps.get_mut(&self.region) {
                app.replicas = replicas;
            }
            world.changed();
        });
    }
}
