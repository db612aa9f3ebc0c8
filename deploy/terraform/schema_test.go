package terraform

// schemas are the arguments that the kinds of resources take which the module has, and
// those of their blocks, after a slash, as provider google 6.50.0 and google-beta have
// them. What has to be there ends in an exclamation mark. None of the kinds has secret
// material, which would stand in Terraform's state.
var schemas = map[string]string{
	"google_project_service":                                                    "disable_dependent_services disable_on_destroy id project service!",
	"google_project_service_identity":                                           "id project service!",
	"google_service_account":                                                    "account_id! create_ignore_already_exists description disabled display_name id project",
	"google_project_iam_custom_role":                                            "description id permissions! project role_id! stage title!",
	"google_pubsub_topic":                                                       "id kms_key_name labels message_retention_duration name! project ingestion_data_source_settings message_storage_policy message_transforms schema_settings",
	"google_pubsub_subscription":                                                "ack_deadline_seconds enable_exactly_once_delivery enable_message_ordering filter id labels message_retention_duration name! project retain_acked_messages topic! bigquery_config cloud_storage_config dead_letter_policy expiration_policy message_transforms push_config retry_policy",
	"google_pubsub_subscription/expiration_policy":                              "ttl!",
	"google_secret_manager_secret":                                              "annotations deletion_protection expire_time id labels project secret_id! tags ttl version_aliases version_destroy_ttl replication! rotation topics",
	"google_secret_manager_secret/replication":                                  "auto user_managed",
	"google_secret_manager_secret/replication/auto":                             "customer_managed_encryption",
	"google_secret_manager_secret/replication/auto/customer_managed_encryption": "kms_key_name!",
	"google_storage_bucket":                                                     "force_destroy id labels location! name! project public_access_prevention storage_class uniform_bucket_level_access encryption lifecycle_rule logging retention_policy soft_delete_policy versioning",
	"google_project_iam_member":                                                 "id member! project! role! condition",
	"google_pubsub_topic_iam_member":                                            "id member! project role! topic! condition",
	"google_secret_manager_secret_iam_member":                                   "id member! project role! secret_id! condition",
	"google_service_account_iam_member":                                         "id member! role! service_account_id! condition",
	"google_cloud_run_v2_service_iam_member":                                    "id location member! name! project role! condition",
	"google_storage_bucket_iam_member":                                          "bucket! id member! role! condition",
	"google_logging_project_sink":                                               "custom_writer_identity description destination! disabled filter id name! project unique_writer_identity bigquery_options exclusions",
	"google_project_iam_audit_config":                                           "id project! service! audit_log_config!",
	"google_project_iam_audit_config/audit_log_config":                          "exempted_members log_type!",
	"google_firestore_database":                                                 "app_engine_integration_mode concurrency_mode database_edition delete_protection_state deletion_policy id location_id! name! point_in_time_recovery_enablement project tags type! cmek_config",
	"google_firestore_field":                                                    "collection! database field! id project index_config ttl_config",
	"google_firestore_field/index_config":                                       "indexes",
	"google_firestore_field/ttl_config":                                         "",
	"google_cloud_scheduler_job":                                                "attempt_deadline description id name! paused project region schedule time_zone app_engine_http_target http_target pubsub_target retry_config",
	"google_cloud_scheduler_job/pubsub_target":                                  "attributes data topic_name!",
	"google_cloud_scheduler_job/retry_config":                                   "max_backoff_duration max_doublings max_retry_duration min_backoff_duration retry_count",
}
