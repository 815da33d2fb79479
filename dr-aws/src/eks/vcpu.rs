//! How many vCPUs an instance type has, and which quota counts them: read from its name, as EC2 names types.
//!
//! Sizes: <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html> and the tables of each family.
//! Quotas: <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html>.
//! A name that does not follow the rule is unknown, never guessed.

/// How an instance is paid for; each way has quotas of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Market {
    OnDemand,
    Spot,
}

/// A quota that counts running vCPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VcpuQuota {
    /// Its code at Service Quotas.
    pub(super) code: &'static str,
    /// The class under which CloudWatch counts its usage.
    pub(super) class: &'static str,
}

/// The families that break the rule of sizes, and those before it.
const IRREGULAR: [&str; 9] = ["c1", "m1", "m2", "t1", "cc1", "cc2", "cg1", "cr1", "hs1"];

/// How many vCPUs a type has. `None`: its name does not say.
pub(super) fn vcpus(instance_type: &str) -> Option<u32> {
    let (family, size) = instance_type.split_once('.')?;
    if IRREGULAR.contains(&family) || family.starts_with("hpc") || family.starts_with("mac") {
        return None;
    }
    if let ("c4" | "d2", "8xlarge") = (family, size) {
        return Some(36);
    }
    let burstable = family.starts_with('t') && !family.starts_with("trn");
    let first_burstable = family == "t2";
    match size {
        "nano" | "micro" | "small" if first_burstable => Some(1),
        "nano" | "micro" | "small" if burstable => Some(2),
        "medium" if burstable => Some(2),
        "medium" => Some(1),
        "large" => Some(2),
        "xlarge" => Some(4),
        // `metal` alone is the size of the host, which the name does not tell; `metal-24xl` tells it.
        _ => {
            let times = match size.strip_prefix("metal-") {
                Some(rest) => rest.strip_suffix("xl")?,
                None => size.strip_suffix("xlarge")?,
            };
            times.parse::<u32>().ok()?.checked_mul(4)
        }
    }
}

/// The quota that counts a type. `None`: not one that is known here.
pub(super) fn quota(instance_type: &str, market: Market) -> Option<VcpuQuota> {
    let (family, _) = instance_type.split_once('.')?;
    let letters: String = family.chars().take_while(char::is_ascii_lowercase).collect();
    let quota = |code, class| Some(VcpuQuota { code, class });
    match (letters.as_str(), market) {
        ("a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z", Market::OnDemand) => {
            quota("L-1216C47A", "Standard/OnDemand")
        }
        ("a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z", Market::Spot) => {
            quota("L-34B43A08", "Standard/Spot")
        }
        ("g" | "gr" | "vt", Market::OnDemand) => quota("L-DB2E81BA", "G/OnDemand"),
        ("g" | "gr" | "vt", Market::Spot) => quota("L-3819A6DF", "G/Spot"),
        ("p", Market::OnDemand) => quota("L-417A185B", "P/OnDemand"),
        ("x", Market::OnDemand) => quota("L-7295265B", "X/OnDemand"),
        ("f", Market::OnDemand) => quota("L-74FC7D96", "F/OnDemand"),
        ("inf", Market::OnDemand) => quota("L-1945791B", "Inf/OnDemand"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_says_how_many() {
        for (name, count) in [
            ("m5.large", 2),
            ("m7g.medium", 1),
            ("t3.medium", 2),
            ("t3.micro", 2),
            ("t2.micro", 1),
            ("t2.medium", 2),
            ("c5.9xlarge", 36),
            ("c4.8xlarge", 36),
            ("r6i.32xlarge", 128),
            ("c7i-flex.xlarge", 4),
            ("m7i.metal-24xl", 96),
            ("trn1.32xlarge", 128),
            ("u-6tb1.56xlarge", 224),
        ] {
            assert_eq!(vcpus(name), Some(count), "{name}");
        }
    }

    #[test]
    fn a_name_that_does_not_say_is_unknown() {
        for name in
            ["m5.metal", "m2.xlarge", "hpc6a.48xlarge", "mac2.metal", "m5", "m5.huge", "", "m5.xxlarge"]
        {
            assert_eq!(vcpus(name), None, "{name}");
        }
    }

    #[test]
    fn the_family_says_which_quota() {
        let code = |name, market| quota(name, market).map(|quota| quota.code);
        assert_eq!(code("m5.large", Market::OnDemand), Some("L-1216C47A"));
        assert_eq!(code("im4gn.large", Market::OnDemand), Some("L-1216C47A"));
        assert_eq!(code("inf1.xlarge", Market::OnDemand), Some("L-1945791B"));
        assert_eq!(code("m5.large", Market::Spot), Some("L-34B43A08"));
        assert_eq!(code("trn1.2xlarge", Market::OnDemand), None);
        assert_eq!(code("nothing", Market::OnDemand), None);
    }
}
