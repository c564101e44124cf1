resource "aws_s3_bucket_policy" "tracegate_traces_eu-1" {
  bucket = "acme-traces-prod"
  policy = jsonencode({
    "Version": "2012-10-17",
    "Id": "tracegate-lock",
    "Statement": [
      {
        "Sid": "DenyEverybodyElse",
        "Effect": "Deny",
        "Principal": "*",
        "Action": [
          "s3:*"
        ],
        "Resource": [
          "arn:aws:s3:::acme-traces-prod",
          "arn:aws:s3:::acme-traces-prod/*"
        ],
        "Condition": {
          "ArnNotEquals": {
            "aws:PrincipalArn": [
              "arn:aws:iam::123456789012:role/services/tracegate",
              "arn:aws:iam::123456789012:user/break-glass"
            ]
          }
        }
      },
      {
        "Sid": "DenyPlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": [
          "s3:*"
        ],
        "Resource": [
          "arn:aws:s3:::acme-traces-prod",
          "arn:aws:s3:::acme-traces-prod/*"
        ],
        "Condition": {
          "Bool": {
            "aws:SecureTransport": "false"
          }
        }
      },
      {
        "Sid": "AllowTracegateObjects",
        "Effect": "Allow",
        "Principal": {
          "AWS": [
            "arn:aws:iam::123456789012:role/services/tracegate"
          ]
        },
        "Action": [
          "s3:AbortMultipartUpload",
          "s3:DeleteObject",
          "s3:DeleteObjectTagging",
          "s3:DeleteObjectVersion",
          "s3:DeleteObjectVersionTagging",
          "s3:GetObject",
          "s3:GetObjectAttributes",
          "s3:GetObjectTagging",
          "s3:GetObjectVersion",
          "s3:GetObjectVersionAttributes",
          "s3:GetObjectVersionTagging",
          "s3:ListMultipartUploadParts",
          "s3:PutObject",
          "s3:PutObjectTagging",
          "s3:PutObjectVersionTagging"
        ],
        "Resource": [
          "arn:aws:s3:::acme-traces-prod/*"
        ]
      },
      {
        "Sid": "AllowTracegateBucket",
        "Effect": "Allow",
        "Principal": {
          "AWS": [
            "arn:aws:iam::123456789012:role/services/tracegate"
          ]
        },
        "Action": [
          "s3:GetBucketLocation",
          "s3:GetBucketObjectLockConfiguration",
          "s3:GetBucketOwnershipControls",
          "s3:GetBucketPolicy",
          "s3:GetBucketPublicAccessBlock",
          "s3:GetBucketVersioning",
          "s3:ListBucket",
          "s3:ListBucketMultipartUploads",
          "s3:ListBucketVersions"
        ],
        "Resource": [
          "arn:aws:s3:::acme-traces-prod"
        ]
      }
    ]
  })
}

resource "aws_s3_bucket_public_access_block" "tracegate_traces_eu-1" {
  bucket                  = "acme-traces-prod"
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "tracegate_traces_eu-1" {
  bucket = "acme-traces-prod"

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}
