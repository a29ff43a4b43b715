"""Training: from labelled images to frozen ensemble members. Needs TensorFlow; serving does not."""
