//! Kind `eks-nodegroup`.

use std::time::Duration;

use aws_sdk_eks::types::NodegroupScalingConfig;
use dr_aws::EksNodegroupBackend;
use dr_core::resource::{At, Hazard, Replicas, Scale, Staffing};
use dr_core::{ErrorKind, Happened, Resource, Result, Side, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Aws, Failure, Fault, Options, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{EAST, SECOND, WEST, connected, cx, effect, reached, sdk};

/// Two clusters with one node group each; the east has three nodes, the west one.
async fn world() -> Aws {
    let aws = Aws::start(Options::new().pace(2_000.0)).await.unwrap();
    for (region, cluster, sizes) in [(EAST, "shop", (3, 10, 3)), (WEST, "shop-dr", (1, 2, 1))] {
        aws.create_cluster(region, cluster);
        aws.create_nodegroup(region, cluster, "app", sizes, 4).unwrap();
        aws.set_vcpu_quota(region, 1_000, 0);
    }
    aws
}

fn config(aws: &Aws, west: Value) -> Value {
    let mut side = json!({ "cluster": "shop-dr", "nodegroups": ["app"] });
    side.as_object_mut().unwrap().extend(west.as_object().unwrap().clone());
    json!({
        "sides": { EAST: { "cluster": "shop", "nodegroups": ["app"] }, WEST: side },
        "aws": reached(aws),
    })
}

async fn nodes(aws: &Aws, west: Value) -> Resource {
    connected(&EksNodegroupBackend, config(aws, west)).await
}

fn scale(side: &str, replicas: Replicas) -> Scale {
    Scale { side: At::Named(Side::new(side)), replicas, after_drain: false }
}

/// Minimum, maximum, desired, and tags, past the code under test.
async fn sizes(aws: &Aws, region: &str, cluster: &str) -> ((i32, i32, i32), String) {
    let eks = sdk!(aws_sdk_eks, aws, region);
    let group = eks.describe_nodegroup().cluster_name(cluster).nodegroup_name("app").send().await.unwrap();
    let group = group.nodegroup.unwrap();
    let scaling = group.scaling_config.unwrap();
    let mut tags: Vec<(String, String)> = group.tags.unwrap_or_default().into_iter().collect();
    tags.sort();
    let (min, max, desired) = (scaling.min_size, scaling.max_size, scaling.desired_size);
    ((min.unwrap(), max.unwrap(), desired.unwrap()), format!("{tags:?}"))
}

async fn by_hand(aws: &Aws, region: &str, cluster: &str, (min, max, desired): (i32, i32, i32)) {
    let scaling = NodegroupScalingConfig::builder().min_size(min).max_size(max).desired_size(desired).build();
    let eks = sdk!(aws_sdk_eks, aws, region);
    let update = eks.update_nodegroup_config().cluster_name(cluster).nodegroup_name("app");
    update.scaling_config(scaling).send().await.unwrap();
    rests(aws, region, cluster).await;
}

async fn rests(aws: &Aws, region: &str, cluster: &str) {
    let eks = sdk!(aws_sdk_eks, aws, region);
    for _ in 0..200 {
        let group =
            eks.describe_nodegroup().cluster_name(cluster).nodegroup_name("app").send().await.unwrap();
        if group.nodegroup.unwrap().status.unwrap().as_str() != "UPDATING" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never rests");
}

#[derive(Debug)]
struct Clusters;

#[derive(Debug)]
struct Hands(Aws);

#[async_trait]
impl Fixture for Clusters {
    async fn fresh(&self) -> Result<Subject> {
        let aws = world().await;
        let resource = nodes(&aws, json!({})).await;
        let mut subject = Subject::new(resource, EAST, WEST, Hands(aws));
        subject.permissions =
            ["eks:DescribeNodegroup", "eks:UpdateNodegroupConfig"].map(str::to_owned).into();
        Ok(subject)
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) | Lever::Hang(side) => self.0.lose_region(side.as_str(), Fault::BlackHole),
            Lever::Heal(side) => self.0.restore_region(side.as_str()),
            Lever::Meddle("scale") => by_hand(&self.0, WEST, "shop-dr", (5, 9, 7)).await,
            Lever::BreakRollouts(side) => self.0.set_vcpu_quota(side.as_str(), 4, 0),
            Lever::LimitRoom(side, replicas) => {
                self.0.set_vcpu_quota(side.as_str(), i64::from(*replicas) * 4 + 8, 8)
            }
            Lever::Forbid(permission) => self.0.deny(permission),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        for region in [EAST, WEST] {
            self.0.restore_region(region);
        }
        rests(&self.0, WEST, "shop-dr").await;
        let east = sizes(&self.0, EAST, "shop").await;
        Some(format!("{east:?} {:?}", sizes(&self.0, WEST, "shop-dr").await))
    }
}

#[tokio::test]
async fn node_groups_keep_every_promise_of_workloads() {
    let report = suite::workloads(&Clusters).await;
    println!("{report}");
    report.assert(20);
}

#[tokio::test]
async fn node_groups_keep_every_promise_of_an_observation() {
    let report = suite::observe(&Clusters).await;
    println!("{report}");
    report.assert(3);
}

#[tokio::test]
async fn node_groups_keep_every_promise_of_room() {
    let report = suite::room(&Clusters).await;
    println!("{report}");
    report.assert(4);
}

#[tokio::test]
async fn node_groups_keep_every_promise_of_proofs() {
    let report = suite::proves(&Clusters).await;
    println!("{report}");
    report.assert(6);
}

async fn scaled(resource: &Resource, call: &Scale) -> Result<dr_core::resource::Scaled> {
    let effect = effect::<Scale>(resource);
    let was = effect.prepare(&cx("test", 10 * SECOND), call).await?;
    effect.apply(&cx("test", 10 * SECOND), call, &was).await
}

#[tokio::test]
async fn the_seeds_numbers_come_out_minimum_and_desired_alike_and_the_plans_maximum() {
    let aws = world().await;
    let resource = nodes(&aws, json!({ "max": 30 })).await;
    let left = scaled(&resource, &scale(WEST, Replicas::Count(9))).await.unwrap();
    assert_eq!((left.workloads[0].ready, left.workloads[0].desired), (9, 9));
    let (sizes, tags) = sizes(&aws, WEST, "shop-dr").await;
    assert_eq!(sizes, (9, 30, 9));
    assert!(tags.contains("dr.before") && tags.contains("-test 1 2 1"), "{tags}");
}

#[tokio::test]
async fn a_fixed_maximum_blocks_before_anything_is_touched() {
    let aws = world().await;
    let resource = nodes(&aws, json!({ "max": "keep" })).await;
    let call = scale(WEST, Replicas::Count(3));
    let hazards = resource.room().unwrap().room(&cx("test", 5 * SECOND), &call).await.unwrap();
    assert_eq!(hazards.iter().map(|hazard| hazard.code.as_str()).collect::<Vec<_>>(), ["node-group-max"]);
    let error = effect::<Scale>(&resource).prepare(&cx("test", 5 * SECOND), &call).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No));
    assert!(aws.mutations().is_empty());
}

#[tokio::test]
async fn what_the_quota_does_not_give_is_named_with_its_numbers() {
    let aws = world().await;
    aws.set_vcpu_quota(WEST, 32, 20);
    let resource = nodes(&aws, json!({})).await;
    let room = async |count| {
        let call = scale(WEST, Replicas::Count(count));
        resource.room().unwrap().room(&cx("test", 5 * SECOND), &call).await.unwrap()
    };
    assert_eq!(room(3).await, []);
    let [Hazard { code, message, blocks }] = <[Hazard; 1]>::try_from(room(9).await).unwrap();
    assert_eq!((code.as_str(), blocks), ("quota", true));
    for word in ["8 more nodes of shop-dr/app", "need 32 vCPUs", "24 of 32", "L-1216C47A", WEST] {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[tokio::test]
async fn a_quota_that_cannot_be_read_blocks_by_a_name_that_can_be_overridden() {
    for permission in ["servicequotas:GetServiceQuota", "cloudwatch:GetMetricStatistics"] {
        let aws = world().await;
        aws.deny(permission);
        let resource = nodes(&aws, json!({})).await;
        let call = scale(WEST, Replicas::Count(9));
        let found = resource.room().unwrap().room(&cx("test", 5 * SECOND), &call).await.unwrap();
        assert_eq!(
            (found.len(), found[0].code.as_str(), found[0].blocks),
            (1, "quota-unknown", true),
            "{found:?}"
        );
        assert!(found[0].message.contains(permission), "{found:?}");
    }
}

#[tokio::test]
async fn an_autoscalers_wish_beyond_the_minimum_is_left_alone() {
    let aws = world().await;
    by_hand(&aws, WEST, "shop-dr", (1, 10, 6)).await;
    let resource = nodes(&aws, json!({ "autoscaler": true })).await;
    scaled(&resource, &scale(WEST, Replicas::Count(4))).await.unwrap();
    assert_eq!(
        sizes(&aws, WEST, "shop-dr").await.0,
        (4, 10, 6),
        "the minimum is raised, its wish is not lowered"
    );
    let (call, effect) = (scale(WEST, Replicas::Count(8)), effect::<Scale>(&resource));
    let was = effect.prepare(&cx("two", 10 * SECOND), &call).await.unwrap();
    effect.apply(&cx("two", 10 * SECOND), &call, &was).await.unwrap();
    by_hand(&aws, WEST, "shop-dr", (8, 10, 9)).await;
    assert!(effect.prepare(&cx("two", 10 * SECOND), &call).await.unwrap().is_already());
    effect.undo(&cx("two", 10 * SECOND), &call, &was.before).await.unwrap();
    assert_eq!(sizes(&aws, WEST, "shop-dr").await.0, (4, 10, 9), "the bounds are back, its wish stays");
}

#[tokio::test]
async fn another_update_in_progress_is_joined_if_it_is_ours_and_named_if_it_is_not() {
    let aws = world().await;
    let resource = nodes(&aws, json!({})).await;
    aws.set_clock_pace(60.0);
    let eks = sdk!(aws_sdk_eks, aws, WEST);
    let begin = async |count: i32| {
        let scaling =
            NodegroupScalingConfig::builder().min_size(count).max_size(9).desired_size(count).build();
        let update = eks.update_nodegroup_config().cluster_name("shop-dr").nodegroup_name("app");
        update.scaling_config(scaling).send().await.unwrap();
    };
    begin(4).await;
    let error = scaled(&resource, &scale(WEST, Replicas::Count(6))).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Conflict, Happened::No), "{error}");
    assert!(error.to_string().contains("ConfigUpdate"), "{error}");
    rests(&aws, WEST, "shop-dr").await;
    begin(6).await;
    aws.forget_calls();
    scaled(&resource, &scale(WEST, Replicas::Count(6))).await.unwrap();
    assert!(aws.mutations().iter().all(|call| call.action == "TagResource"), "{:?}", aws.mutations());
}

#[tokio::test]
async fn a_lost_reply_is_read_again_and_nothing_is_asked_twice() {
    let aws = world().await;
    let resource = nodes(&aws, json!({})).await;
    aws.fail(Failure::new(Fault::LostReply).service(Service::Eks).action("UpdateNodegroupConfig").times(1));
    scaled(&resource, &scale(WEST, Replicas::Count(2))).await.unwrap();
    let updates = aws.calls().iter().filter(|call| call.action == "UpdateNodegroupConfig").count();
    assert_eq!(updates, 1);
}

#[tokio::test]
async fn throttling_errors_and_html_pages_pass_and_a_missing_right_is_named() {
    for fault in [Fault::Throttled, Fault::InternalFailure, Fault::ServiceUnavailable, Fault::HtmlErrorPage] {
        let aws = world().await;
        let resource = nodes(&aws, json!({})).await;
        aws.fail(Failure::new(fault.clone()).service(Service::Eks).times(2));
        scaled(&resource, &scale(WEST, Replicas::Count(2))).await.unwrap();
        assert_eq!(sizes(&aws, WEST, "shop-dr").await.0, (2, 2, 2), "{fault:?}");
    }
    let aws = world().await;
    let resource = nodes(&aws, json!({})).await;
    aws.deny("eks:UpdateNodegroupConfig");
    let began = Instant::now();
    let error = scaled(&resource, &scale(WEST, Replicas::Count(2))).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Unauthorized, Happened::No), "{error:?}");
    assert!(error.to_string().contains("eks:UpdateNodegroupConfig"), "{error}");
    assert!(began.elapsed() < 3 * SECOND);
}

#[tokio::test]
async fn a_failed_update_fails_at_once_in_eks_words_and_undo_puts_the_sizes_back() {
    let aws = world().await;
    aws.set_vcpu_quota(WEST, 8, 0);
    let resource = nodes(&aws, json!({})).await;
    let (call, effect) = (scale(WEST, Replicas::Count(5)), effect::<Scale>(&resource));
    let was = effect.prepare(&cx("test", 10 * SECOND), &call).await.unwrap();
    let error = effect.apply(&cx("test", 10 * SECOND), &call, &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::Maybe), "{error:?}");
    assert!(error.to_string().contains("VcpuLimitExceeded"), "{error}");
    effect.undo(&cx("test", 10 * SECOND), &call, &was.before).await.unwrap();
    let (sizes, tags) = sizes(&aws, WEST, "shop-dr").await;
    assert_eq!((sizes, tags.as_str()), ((1, 2, 1), "[]"));
}

#[tokio::test]
async fn a_scale_that_was_begun_needs_the_other_region_no_more() {
    let aws = world().await;
    let resource = nodes(&aws, json!({})).await;
    let (call, effect) =
        (scale(WEST, Replicas::SameAs(At::Named(Side::new(EAST)))), effect::<Scale>(&resource));
    let was = effect.prepare(&cx("test", 10 * SECOND), &call).await.unwrap();
    aws.lose_region(EAST, Fault::BlackHole);
    effect.apply(&cx("test", 10 * SECOND), &call, &was).await.unwrap();
    assert_eq!(sizes(&aws, WEST, "shop-dr").await.0, (3, 3, 3));
    effect.undo(&cx("test", 10 * SECOND), &call, &was.before).await.unwrap();
    assert_eq!(sizes(&aws, WEST, "shop-dr").await.0, (1, 2, 1));
}

#[tokio::test]
async fn a_group_that_is_not_there_is_unknown_and_never_all_ready() {
    let aws = world().await;
    let resource = nodes(&aws, json!({ "nodegroups": ["app", "batch"] })).await;
    let seen = resource.observer::<Staffing>().unwrap().observe(&cx("test", 5 * SECOND)).await.unwrap();
    assert_eq!(seen.sides[&Side::new(WEST)], None);
    assert!(seen.sides[&Side::new(EAST)].is_some());
}

#[tokio::test]
async fn by_hand_it_is_the_aws_command() {
    let aws = world().await;
    let configured =
        dr_core::Backend::configure(&EksNodegroupBackend, config(&aws, json!({ "max": 30 }))).unwrap();
    let call = serde_json::to_value(scale(WEST, Replicas::Count(9))).unwrap();
    let lines = configured.by_hand("scale", &call);
    assert!(
        lines[0].contains("eks update-nodegroup-config --cluster-name shop-dr --nodegroup-name app"),
        "{lines:?}"
    );
    assert!(lines[0].contains("minSize=9,maxSize=30,desiredSize=9"), "{lines:?}");
    assert_eq!(configured.identities().len(), 2);
    assert!(configured.emulated().unwrap().contains("eks"));
}
