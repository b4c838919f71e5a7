DROP TABLE staging
