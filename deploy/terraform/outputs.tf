output "accounts" {
  description = "E-mail addresses of keyturn's service accounts, by their short ids."
  value       = { for id, a in google_service_account.all : id => a.email }
}

output "topics" {
  description = "Full names of the topics, by their short ids."
  value       = { for id, t in google_pubsub_topic.all : id => t.id }
}

output "sink_writer" {
  description = "As whom the log sink publishes."
  value       = google_logging_project_sink.audit.writer_identity
}

output "artifacts" {
  description = "What _ARTIFACTS of cloudbuild.yaml is."
  value       = "gs://${google_storage_bucket.artifacts.name}"
}

output "next" {
  description = "What Terraform does not do."
  value = [
    "make a version of each of ${join(", ", local.deployment.seals)}: README.md says how",
    "gcloud builds submit --project=${var.project} --config=cloudbuild.yaml --substitutions=_REGION=${var.region}",
    "terraform apply -var=project=${var.project} -var=functions_deployed=true",
    "keyturn doctor --project=${var.project}",
  ]
}
