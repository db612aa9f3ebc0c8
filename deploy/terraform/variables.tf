variable "project" {
  description = "Id of the project that keyturn is deployed in. It has to be there."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.project))
    error_message = "The project has to be an id, such as acme-security, and not a number or a name."
  }
}

variable "region" {
  description = "Region of the functions and of the jobs: _REGION of cloudbuild.yaml."
  type        = string
  default     = "us-central1"
}

variable "firestore_location" {
  description = "Where Firestore keeps what functions share. It cannot be changed afterwards."
  type        = string
  default     = "nam5"
}

variable "kms_key" {
  description = "Full name of a Cloud KMS key that encrypts the secrets by which functions seal what they tell each other. Empty is Google's own."
  type        = string
  default     = ""
}

variable "schedule" {
  description = "Whether to make the jobs of scheduler.yaml. cloudbuild.yaml makes them, too, just so."
  type        = bool
  default     = true
}

variable "functions_deployed" {
  description = "Whether cloudbuild.yaml has deployed the functions: then who may start them is said here."
  type        = bool
  default     = false
}
