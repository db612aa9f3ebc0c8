# What the detectors read.

resource "google_logging_project_sink" "audit" {
  project                = var.project
  name                   = local.deployment.sink.name
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.all[local.deployment.sink.topic].id}"
  filter                 = local.deployment.sink.filter
  unique_writer_identity = true
}

resource "google_pubsub_topic_iam_member" "sink" {
  project = var.project
  topic   = google_pubsub_topic.all[local.deployment.sink.topic].name
  role    = "roles/pubsub.publisher"
  member  = google_logging_project_sink.audit.writer_identity
}

# The Data Access logs, off by default. For each of these services this is all that is
# configured: what others have configured for it goes.
resource "google_project_iam_audit_config" "all" {
  for_each = { for l in local.deployment.audit_logs : l.service => l }

  project = var.project
  service = each.key

  dynamic "audit_log_config" {
    for_each = toset(each.value.types)

    content {
      log_type = audit_log_config.value
    }
  }
}
