//! The state store in a bucket: two who want the same.

use crate::cloud::{Cloud, FAILOVER};
use crate::ecommerce::recovered;
use crate::support::finish;

#[test]
fn of_two_failovers_at_once_one_goes_and_the_other_touches_nothing() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    let two = [cloud.begin(&["failover"], FAILOVER), cloud.begin(&["failover"], FAILOVER)];
    let [one, other] = two.map(|child| std::thread::spawn(|| finish(child)));
    let mut ends = [one.join().unwrap(), other.join().unwrap()];
    ends.sort_by_key(|said| said.code);
    assert_eq!(ends[0].code, 11, "{ends:?}");
    assert!([12, 23].contains(&ends[1].code), "{ends:?}");
    let asked = |action: &str| cloud.aws.calls().iter().filter(|call| call.action == action).count();
    assert_eq!(asked("PromoteReadReplica"), 1);
    recovered(&cloud);
}
