#!/usr/bin/env python3
"""Records what the SageMaker Python SDK sends for the estimators below: record_sdk_requests.py FILE

Writes {"sdk": version, "requests": {case: CreateTrainingJob request}} to FILE. No service is called: the requests are
taken from the client on their way out, and the SDK's telemetry is off. request_test.cc builds the same requests from RunSpecs and compares them field by field.
"""

import json
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_DEFAULT_REGION="us-east-1", HOME="/nonexistent")

import boto3
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.instance_group import InstanceGroup
from sagemaker.xgboost import XGBoost

ROLE = "arn:aws:iam::123456789012:role/trainer"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1"
LOSS = {"Name": "validation:logloss", "Regex": "validation-logloss:([0-9.eE+-]+)"}


def recorded(make):
    """The one request that `make(session)` sends."""
    seen = []
    boto_session = boto3.Session(region_name="us-east-1")
    client = boto_session.client("sagemaker")

    def take(params, **_):
        seen.append(json.loads(params["body"]))
        http = type("Http", (), {"status_code": 200})()
        return http, {"TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/recorded", "ResponseMetadata": {"HTTPStatusCode": 200}}

    client.meta.events.register("before-call.sagemaker.CreateTrainingJob", take)
    session = sagemaker.Session(boto_session=boto_session, sagemaker_client=client, default_bucket="bucket",
                                sagemaker_config={"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}})
    make(session)
    assert len(seen) == 1, seen
    return seen[0]


def plain(session):
    Estimator(IMAGE, ROLE, 1, "ml.m5.xlarge", volume_size=30, max_run=3600, output_path="s3://bucket/out", sagemaker_session=session,
              metric_definitions=[LOSS], hyperparameters={"eta": 0.1, "max_depth": 5, "booster": "gbtree", "tiny": 1e-07, "quiet": "true"},
              ).fit({"train": TrainingInput("s3://bucket/train", content_type="text/csv")}, wait=False, job_name="the-job")


def everything(session):
    Estimator(IMAGE, ROLE, 2, "ml.p3.2xlarge", volume_size=100, max_run=7200, output_path="s3://bucket/out", sagemaker_session=session,
              output_kms_key="alias/out", volume_kms_key="alias/volume", subnets=["subnet-1", "subnet-2"], security_group_ids=["sg-1"],
              use_spot_instances=True, max_wait=10000, checkpoint_s3_uri="s3://bucket/checkpoints", checkpoint_local_path="/opt/ml/saved",
              enable_network_isolation=True, encrypt_inter_container_traffic=True, max_retry_attempts=3, environment={"MODE": "fast"},
              tags=[{"Key": "team", "Value": "vision"}], container_entry_point=["python3", "run.py"], container_arguments=["--verbose"],
              input_mode="FastFile", hyperparameters={"lr": 0.5},
              ).fit({"a": TrainingInput("s3://bucket/a", distribution="ShardedByS3Key", input_mode="Pipe"), "b": TrainingInput("s3://bucket/b")},
                    wait=False, job_name="the-job")


def warm_pool(session):
    Estimator(IMAGE, ROLE, 1, "ml.m5.large", max_run=600, output_path="s3://bucket/out", sagemaker_session=session, keep_alive_period_in_seconds=900,
              disable_output_compression=True, hyperparameters={"lr": 1}).fit(wait=False, job_name="the-job")


def groups(session):
    Estimator(IMAGE, ROLE, instance_groups=[InstanceGroup("workers", "ml.m5.large", 2), InstanceGroup("gpu", "ml.p3.2xlarge", 1)], volume_size=50,
              max_run=600, output_path="s3://bucket/out", sagemaker_session=session, hyperparameters={"lr": 1}).fit(wait=False, job_name="the-job")


def script(session):
    XGBoost(entry_point="train.py", source_dir="s3://bucket/code/sourcedir.tar.gz", framework_version="1.7-1", role=ROLE, instance_count=1,
            instance_type="ml.m5.xlarge", max_run=3600, output_path="s3://bucket/out", sagemaker_session=session, image_uri=IMAGE,
            metric_definitions=[LOSS], hyperparameters={"eta": 0.1, "max_depth": 5, "booster": "gbtree", "quiet": True},
            ).fit({"train": "s3://bucket/train"}, wait=False, job_name="the-job")


def main():
    cases = [plain, everything, warm_pool, groups, script]
    text = json.dumps({"sdk": sagemaker.__version__, "requests": {case.__name__: recorded(case) for case in cases}}, indent=1, sort_keys=True)
    with open(sys.argv[1], "w") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
