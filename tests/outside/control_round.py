# One distribution from its creation to its end, through boto3 in one version of the API.
# Arguments: endpoint, version.
import sys
import boto3

endpoint, version = sys.argv[1:]
tags = version >= "2016-08-01"
client = boto3.client(
    "cloudfront", endpoint_url=endpoint, region_name="us-west-2", api_version=version
)


def config(reference, comment="c", enabled=True):
    return {
        "CallerReference": reference,
        "S3Origin": {"DomainName": "media.s3.amazonaws.com", "OriginAccessIdentity": ""},
        "Aliases": {"Quantity": 1, "Items": [f"{reference}.example.com"]},
        "Comment": comment,
        "Logging": {"Enabled": True, "Bucket": "logs.s3.amazonaws.com", "Prefix": "p/"},
        "TrustedSigners": {"Enabled": True, "Quantity": 1, "Items": ["self"]},
        "PriceClass": "PriceClass_100",
        "Enabled": enabled,
    }


def wait(id):
    waiter = client.get_waiter("streaming_distribution_deployed")
    waiter.wait(Id=id, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


reference = f"round-{version}"
if tags:
    made = client.create_streaming_distribution_with_tags(
        StreamingDistributionConfigWithTags={
            "StreamingDistributionConfig": config(reference),
            "Tags": {"Items": [{"Key": "a", "Value": "1"}]},
        }
    )
else:
    made = client.create_streaming_distribution(StreamingDistributionConfig=config(reference))
assert made["ResponseMetadata"]["HTTPStatusCode"] == 201, made
one = made["StreamingDistribution"]
id = one["Id"]
assert made["Location"] == f"https://cloudfront.amazonaws.com/{version}/streaming-distribution/{id}"
assert one["StreamingDistributionConfig"] == config(reference), one
assert one["ActiveTrustedSigners"]["Items"][0]["AwsAccountNumber"] == "self", one
wait(id)

more = [
    client.create_streaming_distribution(StreamingDistributionConfig={
        **config(f"{reference}-{n}"), "Aliases": {"Quantity": 0},
    })["StreamingDistribution"]["Id"]
    for n in range(2)
]
pages = client.get_paginator("list_streaming_distributions").paginate(
    PaginationConfig={"PageSize": 1}
)
listed = [
    item["Id"] for page in pages for item in page["StreamingDistributionList"].get("Items", [])
]
assert {id, *more} <= set(listed) and len(set(listed)) == len(listed), listed

got = client.get_streaming_distribution(Id=id)
assert got["ETag"] == made["ETag"] and got["StreamingDistribution"]["Status"] == "Deployed", got
assert got["StreamingDistribution"]["LastModifiedTime"].year > 2020, got
if tags:
    arn = one["ARN"]
    client.tag_resource(Resource=arn, Tags={"Items": [{"Key": "b", "Value": ""}]})
    client.untag_resource(Resource=arn, TagKeys={"Items": ["a"]})
    kept = client.list_tags_for_resource(Resource=arn)["Tags"]["Items"]
    assert kept == [{"Key": "b", "Value": ""}] or kept == [{"Key": "b"}], kept

off = client.update_streaming_distribution(
    Id=id, IfMatch=got["ETag"], StreamingDistributionConfig=config(reference, "d", False)
)
assert off["ETag"] != got["ETag"], off
shown = client.get_streaming_distribution_config(Id=id)
assert shown["StreamingDistributionConfig"] == config(reference, "d", False), shown
wait(id)
client.delete_streaming_distribution(Id=id, IfMatch=shown["ETag"])
for other in more:
    shown = client.get_streaming_distribution_config(Id=other)
    settings = {**shown["StreamingDistributionConfig"], "Enabled": False}
    off = client.update_streaming_distribution(
        Id=other, IfMatch=shown["ETag"], StreamingDistributionConfig=settings
    )
    wait(other)
    client.delete_streaming_distribution(Id=other, IfMatch=off["ETag"])
print("done")
