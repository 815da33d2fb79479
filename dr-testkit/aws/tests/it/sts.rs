use aws_sdk_sts::config::Credentials;
use dr_testkit_aws::{Failure, Fault, Service};

use crate::support::{config, refusal, world};

#[tokio::test]
async fn a_caller_is_told_who_it_is() {
    let aws = world().await;
    let sts = aws_sdk_sts::Client::new(&config(&aws, "us-west-2"));
    let identity = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some("123456789012"));
    assert_eq!(identity.arn(), Some("arn:aws:iam::123456789012:user/test"));
}

#[tokio::test]
async fn assumed_credentials_belong_to_the_roles_account() {
    let aws = world().await;
    let config = config(&aws, "us-west-2");
    let sts = aws_sdk_sts::Client::new(&config);
    let role = "arn:aws:iam::210987654321:role/dr";
    let assumed = sts.assume_role().role_arn(role).role_session_name("run").send().await.unwrap();
    let keys = assumed.credentials().unwrap();
    let credentials = Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token().to_owned()),
        None,
        "assumed",
    );
    let as_role = aws_sdk_sts::config::Builder::from(&config).credentials_provider(credentials).build();
    let identity = aws_sdk_sts::Client::from_conf(as_role).get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some("210987654321"));
    let forged = Credentials::new("ASIAFORGED0000000000", "x", Some("y".to_owned()), None, "forged");
    let forged = aws_sdk_sts::config::Builder::from(&config).credentials_provider(forged).build();
    let refused = aws_sdk_sts::Client::from_conf(forged).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "InvalidClientTokenId");
}

#[tokio::test]
async fn the_global_endpoint_fails_apart_from_a_regional_one() {
    let aws = world().await;
    aws.fail(Failure::new(Fault::ServiceUnavailable).service(Service::Sts).region("us-east-1"));
    let global = aws_sdk_sts::Client::new(&config(&aws, "us-east-1"));
    let regional = aws_sdk_sts::Client::new(&config(&aws, "eu-central-1"));
    assert_eq!(refusal(global.get_caller_identity().send().await.unwrap_err()).0, "ServiceUnavailable");
    assert!(regional.get_caller_identity().send().await.is_ok());
}
