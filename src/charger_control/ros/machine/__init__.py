"""What a process of ours has with its machine: who started it, what it claims, its
folder, sleep."""
