"""The engines that run trials: one package per choice of conf/backend/."""
