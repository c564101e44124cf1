//! Documents as they mean, so that what S3 stores can be compared with what was put: S3 may write a list of one as that
//! one, and anybody may reorder lists and members.

use serde_json::Value;

/// A document, canonical: members sorted, lists where one or many may stand, lists of texts sorted, statements in the
/// order of what they say. What is no JSON stays the text that it is.
pub fn canonical(document: &str) -> Value {
    match serde_json::from_str(document) {
        Ok(value) => of(value),
        Err(_) => Value::String(document.to_owned()),
    }
}

/// The canonical document, indented.
pub fn pretty(document: &str) -> String {
    serde_json::to_string_pretty(&canonical(document)).expect("a JSON value becomes JSON")
}

/// Members that hold one or many (IAM "Grammar of the IAM JSON policy language").
fn may_be_many(name: &str) -> bool {
    let exact = ["Action", "NotAction", "Resource", "NotResource", "AWS", "Service", "Federated", "CanonicalUser"];
    exact.contains(&name) || name == "Statement" || name.contains(':')
}

fn of(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(members.into_iter().map(member).collect()),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(of).collect();
            items.sort_by_cached_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn member((name, value): (String, Value)) -> (String, Value) {
    let one_of_many = may_be_many(&name) && !value.is_array();
    let value = if name.ends_with("Principal") && is_everybody(&value) {
        Value::String("*".to_owned())
    } else if one_of_many && value.is_boolean() {
        // Conditions compare texts; `true` and `"true"` are one.
        Value::Array(vec![Value::String(value.to_string())])
    } else if one_of_many {
        Value::Array(vec![value])
    } else {
        value
    };
    (name, of(value))
}

/// `{"AWS": "*"}` is everybody, as `"*"` is.
fn is_everybody(principal: &Value) -> bool {
    *principal == serde_json::json!({"AWS": "*"}) || *principal == serde_json::json!({"AWS": ["*"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_the_same() {
        let put = r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"a","Effect":"Deny","Principal":"*","Action":["s3:*"],"Resource":["x","y"],
             "Condition":{"ArnNotEquals":{"aws:PrincipalArn":["p"]},"Bool":{"aws:SecureTransport":"false"}}},
            {"Sid":"b","Effect":"Allow","Principal":{"AWS":["p"]},"Action":["s3:GetObject","s3:PutObject"],"Resource":["y"]}]}"#;
        let kept = r#"{"Statement":[
            {"Action":["s3:PutObject","s3:GetObject"],"Effect":"Allow","Principal":{"AWS":"p"},"Resource":"y","Sid":"b"},
            {"Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":false},"ArnNotEquals":{"aws:PrincipalArn":"p"}},
             "Effect":"Deny","Principal":{"AWS":"*"},"Resource":["y","x"],"Sid":"a"}],"Version":"2012-10-17"}"#;
        assert_eq!(canonical(put), canonical(kept));
        let one = r#"{"Statement":{"Effect":"Deny"}}"#;
        assert_eq!(canonical(one), canonical(r#"{"Statement":[{"Effect":"Deny"}]}"#));
    }

    #[test]
    fn what_means_something_else_is_not() {
        let policy =
            r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"p"},"Action":"s3:GetObject","Resource":"y"}]}"#;
        for (what, other) in [
            ("deleted principals become ids", policy.replace("\"p\"", "\"AROAEXAMPLE\"")),
            ("another effect", policy.replace("Allow", "Deny")),
            ("everybody", policy.replace("{\"AWS\":\"p\"}", "\"*\"")),
            ("everybody and one", policy.replace("\"p\"", "[\"*\",\"p\"]")),
            ("negated", policy.replace("\"Principal\"", "\"NotPrincipal\"")),
            ("more actions", policy.replace("\"s3:GetObject\"", "[\"s3:GetObject\",\"s3:*\"]")),
            ("no policy", String::new()),
        ] {
            assert_ne!(canonical(policy), canonical(&other), "{what}");
        }
    }
}
