# Each error that the model of the API names for our operations, provoked once through boto3.
# Arguments: endpoint, and id and secret of a key that may only read, and of one of an account of
# its own.
import sys
import boto3
from botocore.exceptions import ClientError

endpoint, reader, reader_secret, tenant, tenant_secret = sys.argv[1:]


def connect(id=None, secret=None):
    return boto3.client(
        "cloudfront",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=id,
        aws_secret_access_key=secret,
    )


client = connect()
KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUQ4k/sDvCDbQ5KyV8NsuTVwpxCaA
crIEmQg9R1qcLm0AcFctj11hamGFHlgxpBPu7jO0Udkh99p5dSsHXNrEUA==
-----END PUBLIC KEY-----
"""


def config(reference, **members):
    return {
        "CallerReference": reference,
        "S3Origin": {"DomainName": "media.s3.amazonaws.com", "OriginAccessIdentity": ""},
        "Comment": "",
        "TrustedSigners": {"Enabled": False, "Quantity": 0},
        "Enabled": True,
        **members,
    }


def origin(domain="media.s3.amazonaws.com", identity=""):
    return {"DomainName": domain, "OriginAccessIdentity": identity}


def signers(*accounts):
    return {"Enabled": True, "Quantity": len(accounts), "Items": list(accounts)}


def aliases(*names):
    return {"Quantity": len(names), "Items": list(names)}


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert found == (code, status), (code, error.response)
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return
    raise AssertionError(f"{code} was not raised")


def create(reference, **members):
    return client.create_streaming_distribution(
        StreamingDistributionConfig=config(reference, **members)
    )


def no_create(code, status, reference="e", by=client, **members):
    refused(
        code,
        status,
        by.create_streaming_distribution,
        StreamingDistributionConfig=config(reference, **members),
    )


made = create("errors", Aliases=aliases("errors.example.com"))
one, etag = made["StreamingDistribution"], made["ETag"]
no_create("AccessDenied", 403, by=connect(reader, reader_secret))
no_create("InvalidClientTokenId", 403, by=connect("AKIDNOBODY", "x"))
no_create("SignatureDoesNotMatch", 403, by=connect(reader, "x"))
no_create("InvalidArgument", 400, PriceClass="PriceClass_300")
no_create("InconsistentQuantities", 400, Aliases={"Quantity": 2, "Items": ["a.example.com"]})
no_create("InvalidOrigin", 400, S3Origin=origin("www.example.com"))
for identity in ("E1", "origin-access-identity/cloudfront/ENONE"):
    no_create("InvalidOriginAccessIdentity", 400, S3Origin=origin(identity=identity))
six = [f"{n:012}" for n in range(1, 7)]
no_create("TooManyTrustedSigners", 400, TrustedSigners=signers(*six))
no_create("TrustedSignerDoesNotExist", 400, TrustedSigners=signers("999999999999"))
eleven = [f"{n}.example.com" for n in range(11)]
no_create("TooManyStreamingDistributionCNAMEs", 400, Aliases=aliases(*eleven))
no_create("CNAMEAlreadyExists", 409, Aliases=aliases("errors.example.com"))
no_create("StreamingDistributionAlreadyExists", 409, "errors")


def no_update(code, status, id=one["Id"], tag=etag, **members):
    refused(
        code,
        status,
        client.update_streaming_distribution,
        Id=id,
        IfMatch=tag,
        StreamingDistributionConfig={**config("errors"), **members},
    )


no_update("IllegalUpdate", 400, S3Origin=origin("other.s3.amazonaws.com"))
no_update("NoSuchStreamingDistribution", 404, id="ENONE")
no_update("InvalidIfMatchVersion", 400, tag="ENONE")
newer = client.update_streaming_distribution(
    Id=one["Id"], IfMatch=etag, StreamingDistributionConfig=config("errors")
)
no_update("PreconditionFailed", 412)
delete = client.delete_streaming_distribution
refused("StreamingDistributionNotDisabled", 409, delete, Id=one["Id"], IfMatch=newer["ETag"])
stranger = connect(tenant, tenant_secret)
get = stranger.get_streaming_distribution
refused("NoSuchStreamingDistribution", 404, get, Id=one["Id"])

tag = client.tag_resource
tags = {"Items": [{"Key": "aws:a", "Value": ""}]}
refused("InvalidTagging", 400, tag, Resource=one["ARN"], Tags=tags)
none = one["ARN"] + "X"
refused("NoSuchResource", 404, tag, Resource=none, Tags={"Items": []})
refused("InvalidArgument", 400, client.list_tags_for_resource, Resource="x")
refused("InvalidArgument", 400, client.list_streaming_distributions, MaxItems="x")
refused("NotImplemented", 501, client.list_distributions)

identity = {"CallerReference": "errors", "Comment": ""}
create_identity = client.create_cloud_front_origin_access_identity
delete_identity = client.delete_cloud_front_origin_access_identity
code = "CloudFrontOriginAccessIdentity"
made = create_identity(CloudFrontOriginAccessIdentityConfig=identity)
id = made[code]["Id"]
refused(f"{code}AlreadyExists", 409, create_identity, CloudFrontOriginAccessIdentityConfig=identity)
create("with-identity", S3Origin=origin(identity=f"origin-access-identity/cloudfront/{id}"))
refused(f"{code}InUse", 409, delete_identity, Id=id, IfMatch=made["ETag"])
refused(f"NoSuch{code}", 404, delete_identity, Id="ENONE", IfMatch=made["ETag"])

key = {"CallerReference": "errors", "Name": "errors", "EncodedKey": KEY, "Comment": ""}
made = client.create_public_key(PublicKeyConfig=key)
id = made["PublicKey"]["Id"]
assert client.get_public_key(Id=id)["PublicKey"]["PublicKeyConfig"] == key
refused("PublicKeyAlreadyExists", 409, client.create_public_key, PublicKeyConfig=key)
refused("NoSuchPublicKey", 404, client.get_public_key, Id="KNONE")
refused(
    "CannotChangeImmutablePublicKeyFields",
    400,
    client.update_public_key,
    Id=id,
    IfMatch=made["ETag"],
    PublicKeyConfig={**key, "Name": "other"},
)
group = {"Name": "errors", "Items": [id], "Comment": ""}
client.create_key_group(KeyGroupConfig=group)
refused("KeyGroupAlreadyExists", 409, client.create_key_group, KeyGroupConfig=group)
refused("PublicKeyInUse", 409, client.delete_public_key, Id=id, IfMatch=made["ETag"])
refused("NoSuchResource", 404, client.get_key_group, Id="GNONE")

for n in range(100):
    stranger.create_streaming_distribution(StreamingDistributionConfig=config(f"many-{n}"))
no_create("TooManyStreamingDistributions", 400, "many-100", by=stranger)
print("done")
