//! What of a plan's needs can be proven without leaving anything in a bucket.

use aws_sdk_s3::primitives::ByteStream;
use dr_core::resource::{Call, Cx, Proof, Proves, Restore, Wanted};
use dr_core::{Error, Region, Side, async_trait};

use super::buckets::{Buckets, Place};
use super::marker::Marker;
use crate::together::{each, unoffered};

/// No object has this ETag: a write on the condition that it does is authorised and then finds nothing to do.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

#[async_trait]
impl Proves for Buckets {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let lost: Option<&Region> =
            gone.and_then(|side| self.plan.sides.get(side)).map(|bucket| &bucket.region);
        let there = |place: &Place<'_>| Some(place.side) != gone && Some(&place.bucket.region) != lost;
        let places: Vec<Place<'_>> = self.places().into_iter().filter(there).collect();
        let writes = |side: &Side| {
            let of_it = |wanted: &&Wanted| wanted.verb == Restore::VERB || wanted.verb == Marker::VERB;
            wanted.iter().filter(of_it).any(|wanted| wanted.side.as_ref().is_none_or(|on| on == side))
        };
        let proving = places.iter().map(|place| self.prove_place(cx, *place, writes(place.side))).collect();
        let all = each(proving).await.into_iter().flatten();
        all.chain(unoffered(wanted, &[Restore::VERB, Marker::VERB])).collect()
    }
}

impl Buckets {
    async fn prove_place(&self, cx: &Cx, place: Place<'_>, writes: bool) -> Vec<Proof> {
        let named = |permission: &str| format!("{permission} on {} ({})", place.shown(), place.side);
        let mut proofs = Vec::new();
        proofs.push(match place.keeps_versions(cx).await {
            Ok(true) => Proof::proven(named("s3:GetBucketVersioning"), "it keeps versions"),
            Ok(false) => {
                Proof::missing(named("s3:GetBucketVersioning"), "it keeps no versions: switch them on")
            }
            Err(error) => Proof::failed(named("s3:GetBucketVersioning"), &error),
        });
        proofs.push(match place.rules(cx).await {
            Ok(_) => Proof::proven(named("s3:GetReplicationConfiguration"), "its rules can be read"),
            Err(error) => Proof::failed(named("s3:GetReplicationConfiguration"), &error),
        });
        proofs.push(self.prove_listing(cx, place, named("s3:ListBucketVersions")).await);
        if writes {
            proofs.push(match place.forgets_after(cx, &self.plan.prefix).await {
                Ok(_) => Proof::proven(named("s3:GetLifecycleConfiguration"), "its lifecycle can be read"),
                Err(error) => Proof::failed(named("s3:GetLifecycleConfiguration"), &error),
            });
            proofs.push(self.prove_writing(cx, place, named("s3:PutObject")).await);
        }
        proofs
    }

    async fn prove_listing(&self, cx: &Cx, place: Place<'_>, what: String) -> Proof {
        let s3 = place.s3();
        let listed = place
            .reads("s3:ListBucketVersions")
            .ask(cx, || {
                s3.list_object_versions()
                    .bucket(&place.bucket.name)
                    .prefix(&self.plan.prefix)
                    .max_keys(1)
                    .send()
            })
            .await;
        match listed {
            Ok(_) => Proof::proven(what, "its versions can be listed"),
            Err(error) => Proof::failed(what, &Error::from(error)),
        }
    }

    async fn prove_writing(&self, cx: &Cx, place: Place<'_>, what: String) -> Proof {
        let s3 = place.s3();
        let key = format!("{}proves-that-it-may-write", self.plan.own());
        let asked = place
            .changes("s3:PutObject")
            .ask(cx, || {
                s3.put_object()
                    .bucket(&place.bucket.name)
                    .key(&key)
                    .if_match(NO_ETAG)
                    .body(ByteStream::from_static(b""))
                    .send()
            })
            .await;
        match asked {
            Ok(_) => {
                Proof::unknown(what, format!("S3 wrote {key} although its condition did not hold: remove it"))
            }
            Err(error) if error.is("NoSuchKey") || error.is("PreconditionFailed") => {
                Proof::proven(what, "a write on a condition that never holds was allowed, and wrote nothing")
            }
            Err(error) => Proof::failed(what, &Error::from(error)),
        }
    }
}
