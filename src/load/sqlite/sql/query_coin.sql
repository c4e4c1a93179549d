SELECT * FROM present WHERE vs_currency = :vs_currency AND id = :id;
