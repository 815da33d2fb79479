//! Two regions to try things on, each with nodes: `cargo run -p dr-testkit-kube --example regions [FOLDER]`.
//!
//! It writes a kubeconfig with the contexts `east` and `west`, says where, and stays until Ctrl-C. Labels on a pod template
//! decide how pods fare: `dr-kubelet/start: image-pull`, `crash-loop`, `unschedulable` or `never-ready`.
#![expect(clippy::print_stdout, reason = "an example speaks")]

use std::path::PathBuf;

use dr_testkit_kube::{KubeRegion, Kubelet, KubeletOptions, RegionOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (east, west) = tokio::try_join!(
        KubeRegion::start(RegionOptions::new("east")),
        KubeRegion::start(RegionOptions::new("west")),
    )?;
    let _kubelets = tokio::try_join!(
        Kubelet::start(east.warden(), KubeletOptions::new()),
        Kubelet::start(west.warden(), KubeletOptions::new()),
    )?;
    let folder = std::env::args_os().nth(1).map_or_else(|| east.folder().to_owned(), PathBuf::from);
    let path = std::path::absolute(folder)?.join("kubeconfig");
    KubeRegion::kubeconfig_two(&east, &west, &path)?;

    println!("export KUBECONFIG={}", path.display());
    for region in [&east, &west] {
        println!("# context {}: https://{}", region.name(), region.access().address());
    }
    println!("# both end with Ctrl-C");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
