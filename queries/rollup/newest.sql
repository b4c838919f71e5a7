SELECT epoch_us(min(timestamp)), epoch_us(max(timestamp)) FROM {table}
