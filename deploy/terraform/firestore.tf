# What the instances of a function share.

resource "google_firestore_database" "default" {
  project                 = var.project
  name                    = "(default)"
  location_id             = var.firestore_location
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = "DELETE_PROTECTION_ENABLED"

  depends_on = [google_project_service.all]
}

resource "google_firestore_field" "expires" {
  for_each = { for c in local.deployment.collections : c.id => c }

  project    = var.project
  database   = google_firestore_database.default.name
  collection = each.key
  field      = each.value.expires

  ttl_config {}
}

resource "google_firestore_field" "unindexed" {
  for_each = { for c in local.deployment.collections : c.id => c }

  project    = var.project
  database   = google_firestore_database.default.name
  collection = each.key
  field      = each.value.unindexed

  index_config {} # none
}
