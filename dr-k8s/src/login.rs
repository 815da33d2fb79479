//! What of a login nobody may see: the kubeconfig's own secrets, what a plug-in writes, tokens in a server's words.

use dr_core::resource::{Redactor, Secret};
use kube::client::AuthError;
use kube::config::AuthInfo;
use serde_json::Value;

/// Makes the redactor know what a kubeconfig's user holds. What a plug-in gives is not to be had: see [`unsigned`].
pub(crate) fn hide(redactor: &Redactor, user: &AuthInfo) {
    let Ok(user_fields) = serde_json::to_value(user) else { return };
    let own = ["token", "password", "client-key-data"].into_iter().filter_map(|name| user_fields.get(name));
    let provider = user_fields.pointer("/auth-provider/config").and_then(Value::as_object);
    let given = provider.into_iter().flatten().filter(|(name, _)| {
        ["id-token", "access-token", "refresh-token", "client-secret"].contains(&name.as_str())
    });
    for value in own.chain(given.map(|(_, value)| value)).filter_map(Value::as_str) {
        redactor.hide(&Secret::new(value));
    }
    if let Some(token) = user.token_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok()) {
        redactor.hide(&Secret::new(token));
    }
}

/// Why there are no credentials. A plug-in's standard output is where tokens go, and its command line may hold secrets
/// of the kubeconfig: of both nothing is told.
pub(crate) fn why(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said: Vec<&str> = said.split_whitespace().collect();
            let said: String = unsigned(&said.join(" ")).chars().take(300).collect();
            let said = if said.is_empty() { "nothing".to_owned() } else { said };
            format!("the credential plug-in failed with {}; it said: {said}", out.status)
        }
        AuthError::AuthExecParse(_) => "what the credential plug-in wrote is no ExecCredential".to_owned(),
        error => crate::access::chain(error),
    }
}

/// The text without the tokens in it that are known by the word before them: some proxies repeat in an error what they
/// were sent.
pub(crate) fn unsigned(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((at, word)) = ["Bearer", "Basic", "bearer", "basic"]
        .into_iter()
        .filter_map(|word| rest.find(word).map(|at| (at, word)))
        .min()
    {
        let (before, after) = rest.split_at(at + word.len());
        let blank = after.len() - after.trim_start_matches([' ', ':', '+', '=']).len();
        let token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=%".contains(c);
        let length: usize = after[blank..].chars().take_while(|c| token(*c)).map(char::len_utf8).sum();
        out.push_str(before);
        rest = &after[blank + length..];
        // A word of a sentence is no token.
        if blank == 0 || length < 12 {
            out.push_str(&after[..blank + length]);
        } else {
            out.push_str(" •••");
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_a_servers_words_and_a_sentence_stays() {
        let said = unsigned("refused: authorization: Bearer ya29.a0Canary_x-y (bearer tokens end)");
        assert_eq!(said, "refused: authorization: Bearer ••• (bearer tokens end)");
        assert_eq!(unsigned("Basic dXNlcjpwYXNz, basically fine"), "Basic •••, basically fine");
        assert_eq!(unsigned("no token here"), "no token here");
    }

    #[test]
    fn the_secrets_of_a_users_entry_are_masked() {
        let user: AuthInfo = serde_json::from_value(serde_json::json!({
            "token": "canary-1", "username": "dr", "password": "canary-2", "client-key-data": "Y2FuYXJ5LTM=",
            "auth-provider": { "name": "oidc", "config": { "id-token": "canary-4", "idp-issuer-url": "https://id" } },
        }))
        .unwrap();
        let redactor = Redactor::default();
        hide(&redactor, &user);
        let shown = redactor.redact("canary-1 dr canary-2 Y2FuYXJ5LTM= canary-4 https://id");
        assert_eq!(shown, "••• dr ••• ••• ••• https://id");
    }
}
